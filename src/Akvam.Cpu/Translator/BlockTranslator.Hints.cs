using System.Numerics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it. An access that stands alone begins with the entry of the TLB that served its place last.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Hints that stacks share: of RSP, and of RBP; the others go to the blocks in turn.</summary>
    private const int StackHint = 0, FrameHint = 1, FirstHint = 2;

    /// <summary>
    /// An access whose hint was wrong, behind the block: where it begins, the jumps that lead here, where it goes on, and which slow path it takes when the TLB has
    /// nothing.
    /// </summary>
    private readonly record struct Hinted(int Start, int Wrong, int Unaligned, int Resume, int SlowPath, GuestAddress Address, int Size, bool Write, bool Aligned, int Hint);

    private readonly List<Hinted> _hinted = [];
    private readonly List<(int Base, int Index, int Page)> _keys = [];
    private int _hints = FirstHint;

    /// <summary>As <see cref="LookUp"/>, which it is part of.</summary>
    private void LookUpByHint(int n, in GuestAddress address, int size, bool write, bool aligned)
    {
        int hint = HintOf(address), start = _e.Position, unaligned = 0;
        LoadAddress(Scratch, address, 0);
        if (size > 1)
        {
            // Only what is aligned is known to lie in one page. (TEST; of 10 bytes: to 16.)
            _e.Op(0xF6, 0, Scratch, wide: false);
            _e.U8((int)BitOperations.RoundUpToPowerOf2((uint)size) - 1);
            unaligned = _e.JumpIf(HostCondition.NotEqual);
        }

        _e.Load(Address, HostMemory.State(hint));
        _e.AluImmediate(And, Scratch, ~(int)TlbTag.Mask);
        _e.Op(0x0B, Scratch, HostMemory.State(StateOffset.DataTag));
        _e.Op(0x3B, Scratch, new HostMemory(Address, write ? WriteTag : ReadTag));
        int wrong = _e.JumpIf(HostCondition.NotEqual);
        _e.Load(Address, new HostMemory(Address, Addend));
        _hinted.Add(new Hinted(start, wrong, unaligned, _e.Position, _slow.Count, address, size, write, aligned, hint));
        Slow(0, n);
    }

    /// <summary>Where the hint of an address is, in the state: accesses of a block that go by the same registers to about the same place share one.</summary>
    private int HintOf(in GuestAddress a)
    {
        int number;
        if (a.Index == Register.ZeroOffset && a.Segment == 0 && a.Base is Register.Rsp * 8 or Register.Rbp * 8)
        {
            number = a.Base == Register.Rsp * 8 ? StackHint : FrameHint;
        }
        else
        {
            (int, int, int) key = (a.Base, a.Index, ((a.Disp + 2048) >> 12) ^ (a.Segment << 20));
            int at = _keys.IndexOf(key);
            if (at < 0)
            {
                at = _keys.Count;
                _keys.Add(key);
            }

            number = _hints + at < TlbHint.Count ? _hints + at : FirstHint + at;
        }

        return TlbHint.Offset + (number * TlbHint.Size);
    }

    private void StartHints()
    {
        _hints += _keys.Count;
        _hints = _hints + BlockCache.MaxInstructions > TlbHint.Count ? FirstHint : _hints;
        _keys.Clear();
        _hinted.Clear();
    }

    /// <summary>
    /// What comes too often with a wrong hint, because it accesses here and there, is changed to search at once: its beginning becomes a jump. That is done in C#, as
    /// everything that writes code.
    /// </summary>
    private void EmitHinted(Hinted x)
    {
        _e.Patch(x.Wrong);
        _e.Op(0x83, Subtract, HostMemory.State(x.Hint + TlbHint.MissesAt), wide: false);
        _e.U8(1);
        int often = _e.JumpIf(HostCondition.Equal);
        int search = _e.Position;
        if (x.Unaligned != 0 && !x.Aligned)
        {
            _e.Patch(x.Unaligned);
        }

        Search(x.Address, x.Size, x.Write);
        int miss = _e.JumpIf(HostCondition.NotEqual);
        _e.Lea(Scratch, new HostMemory(HostRegister.State, Address, 0, CpuState.DtlbOffset));
        _e.Store(HostMemory.State(x.Hint), Scratch);
        LoadAddend();
        _e.JumpBack(x.Resume);

        _e.Patch(often);
        _e.Lea(Address, HostMemory.State(x.Hint));
        _e.CallTo(_routines.JudgeHint);
        _e.JumpBackIf(HostCondition.NotEqual, search);
        _e.MoveImmediate(Scratch, (ulong)(_e.Origin + x.Start));
        _e.Store(HostMemory.State(StateOffset.HintlessSite), Scratch);
        _e.MoveImmediate(Scratch, (ulong)(_e.Origin + search));
        _e.Store(HostMemory.State(StateOffset.HintlessSearch), Scratch);
        int change = _e.Jump();
        _slow[x.SlowPath] = _slow[x.SlowPath] with { Jump = miss, Second = x.Aligned ? x.Unaligned : 0, Third = change };
    }
}
