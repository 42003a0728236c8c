using System.Numerics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it. An access, or a group of them, begins with a look at the page that its place accessed last: its <see cref="TlbWindow"/>.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Windows that all blocks share, for what pops and what pushes 8 bytes; the others go to the places in turn.</summary>
    private const int PopWindow = 3, PushWindow = PopWindow + TlbWindow.Classes;

    /// <summary>
    /// An access that its window did not show, behind the block: where it begins, the jump that leads here, where it goes on, and which slow path it takes when the TLB
    /// has nothing (negative: it is a group, with ways of its own). <see cref="Keeping"/>: the address register is not free, and the scratch register gets the addend.
    /// </summary>
    private readonly record struct Unseen(int Start, int Jump, int Resume, int Window, int SlowPath, GuestAddress Address, int Size, bool Write, bool Aligned, bool Keeping = false);

    private readonly List<Unseen> _unseen = [];
    private readonly List<(GuestAddress Address, int Size, int Window)> _windows = [];

    /// <summary>The window whose addend the address register had when it had changed so many times; -1: none is known of.</summary>
    private int _addendOf, _addendSince;
    private readonly int[] _nextWindow = new int[2 * TlbWindow.Classes];

    /// <summary>As <see cref="LookUp"/>, which it is part of.</summary>
    private void LookUpByWindow(int n, in GuestAddress address, int size, bool write, bool aligned)
    {
        if (!address.Is64)
        {
            LookUpSegment(n, address, size, write, aligned);
            return;
        }

        int window = WindowOf(address, size, write), start = _e.Position, unaligned = 0;
        LoadAddress(Scratch, address, 0);
        if (aligned)
        {
            unaligned = JumpUnlessAligned(Scratch, size);
        }

        int jump = CompareWithWindow(window);
        _unseen.Add(new Unseen(start, jump, _e.Position, window, _slow.Count, address, size, write, aligned));
        Slow(0, n);
        _slow[^1] = _slow[^1] with { Second = unaligned };
    }

    /// <summary>As <see cref="LookUpByWindow"/> outside 64-bit code: the address register has the host's address afterwards, because the sum is cut.</summary>
    private void LookUpSegment(int n, in GuestAddress address, int size, bool write, bool aligned)
    {
        int beyond = CheckSegment(address, size, write), window = WindowOf(address, size, write), start = _e.Position, unaligned = 0;
        LoadAddress(Address, address, 0);
        if (aligned)
        {
            unaligned = JumpUnlessAligned(Address, size);
        }

        _e.Move(Scratch, Address);
        int jump = JumpUnlessInWindow(window);
        _e.Op(0x03, Address, HostMemory.State(TlbWindow.At(window) + TlbWindow.AddendAt));
        _unseen.Add(new Unseen(start, jump, _e.Position, window, _slow.Count, address, size, write, aligned));
        Slow(0, n);
        _slow[^1] = _slow[^1] with { Second = unaligned, Sixth = beyond };
    }

    /// <summary>An access that goes beyond the end of its segment jumps; 0: there is nothing to look at.</summary>
    private int CheckSegment(in GuestAddress address, int size, bool write)
    {
        if (address.Checked < 0)
        {
            return 0;
        }

        LoadOffset(Scratch, address);
        _e.AluImmediate(Add, Scratch, size);
        _e.Op(0x3B, Scratch, HostMemory.State(StateOffset.SegmentEnd(address.Checked, write)));
        return _e.JumpIf(HostCondition.Above);
    }

    /// <summary>As <see cref="LookUpByWindow"/>, but for what the address register holds; the scratch register has the addend afterwards.</summary>
    private void LookUpKeeping(int n, in GuestAddress address, int size, bool write)
    {
        int window = WindowOf(address, size, write), start = _e.Position;
        LoadAddress(Scratch, address, 0);
        int jump = CompareWithWindow(window, Scratch);
        _unseen.Add(new Unseen(start, jump, _e.Position, window, _slow.Count, address, size, write, false, Keeping: true));
        Slow(0, n);
    }

    /// <summary>The linear address in the scratch register, which is lost, is not in the window: jumps. Otherwise a register, the address register mostly, has the addend.</summary>
    private int CompareWithWindow(int window, int addend = Address)
    {
        int jump = JumpUnlessInWindow(window);
        LoadAddend(window, addend);
        return jump;
    }

    private int JumpUnlessInWindow(int window)
    {
        _e.Op(0x2B, Scratch, HostMemory.State(TlbWindow.At(window)));
        _e.Op(0x3B, Scratch, HostMemory.State(TlbWindow.LimitAt(window)));
        return _e.JumpIf(HostCondition.AboveOrEqual);
    }

    /// <summary>The address register may still have it.</summary>
    private void NeedAddend(int window)
    {
        if (_addendOf != window || _e.AddressChanges != _addendSince)
        {
            LoadAddend(window);
        }
    }

    private void LoadAddend(int window, int to = Address)
    {
        _e.Load(to, HostMemory.State(TlbWindow.At(window) + TlbWindow.AddendAt));
        _addendOf = to == Address ? window : -1;
        _addendSince = _e.AddressChanges;
    }

    /// <summary>TEST of the address in a register.</summary>
    private int JumpUnlessAligned(int register, int size)
    {
        _e.Op(0xF6, 0, register, wide: false);
        _e.U8((int)BitOperations.RoundUpToPowerOf2((uint)size) - 1);
        return _e.JumpIf(HostCondition.NotEqual);
    }

    /// <summary>The window of an address: accesses of a block of one kind that go by the same registers to about the same place share one.</summary>
    private int WindowOf(in GuestAddress a, int size, bool write)
    {
        if ((size == 8 || !a.Is64) && a.Index == Register.ZeroOffset && a.Base == Register.Rsp * 8 && (a.Segment == 0 || a.Segment == StateOffset.SegmentBase(Segment.Ss)))
        {
            return OfLevel(write ? PushWindow : PopWindow);
        }

        GuestAddress about = a with { Disp = (a.Disp + 2048) >> 12 };
        int key = write ? -size : size;
        foreach ((GuestAddress address, int other, int window) in _windows)
        {
            if (address == about && other == key)
            {
                return window;
            }
        }

        _windows.Add((about, key, TakeWindow(size, write)));
        return _windows[^1].Window;
    }

    /// <summary>
    /// A window that nothing else in the block has. Places take them in turn, so that other blocks may have it as well: for accesses of the same size, and none of them may
    /// write what others only read.
    /// </summary>
    private int TakeWindow(int size, bool write)
    {
        const int Kinds = 2 * TlbWindow.Classes;
        int kind = TlbWindow.ClassOf(size) + (write ? TlbWindow.Classes : 0), number = _nextWindow[kind] + kind;
        _nextWindow[kind] = (_nextWindow[kind] + Kinds) % TlbWindow.Count;
        return number is PopWindow or PushWindow ? TakeWindow(size, write) : OfLevel(number);
    }

    private int OfLevel(int number) => (_block->Mode & ModeKey.Cpl3) != 0 ? TlbWindow.Count + number : number;

    private void StartWindows()
    {
        _windows.Clear();
        _addendOf = -1;
        _unseen.Clear();
    }

    /// <summary>
    /// What is too often not seen, because it accesses here and there, is changed to search the TLB at once: its beginning becomes a jump. That is done in C#, as
    /// everything that writes code.
    /// </summary>
    private void EmitUnseen(Unseen x)
    {
        _e.Patch(x.Jump);
        KeepAddress(x);
        HostMemory misses = HostMemory.State(TlbWindow.At(x.Window) + TlbWindow.MissesAt);
        _e.Op(0x83, Subtract, misses, wide: false);
        _e.U8(1);
        int often = _e.JumpIf(HostCondition.Equal), search = _e.Position;
        Search(x.Address, x.Size, x.Write);
        int miss = _e.JumpIf(HostCondition.NotEqual);
        _e.PushImmediate((x.Window << 3) | (TlbWindow.BytesOf(x.Window) << 16));
        _e.CallTo(_routines.FillWindow(x.Window / TlbWindow.Count, x.Write));
        Resume(x);

        // A search that leaves nothing behind, but what the others of a group go by.
        int always = _e.Position, unaligned = 0;
        KeepAddress(x);
        if (x.Aligned)
        {
            LoadAddress(Scratch, x.Address, 0);
            unaligned = JumpUnlessAligned(Scratch, x.Size);
        }

        Search(x.Address, x.Size, x.Write);
        int missAlways = _e.JumpIf(HostCondition.NotEqual);
        LoadAddend();
        if (x.SlowPath < 0)
        {
            _e.Store64(HostMemory.State(TlbWindow.LimitAt(x.Window)), 0, -1);
            _e.Store(HostMemory.State(TlbWindow.At(x.Window) + TlbWindow.AddendAt), Address);
        }

        Resume(x);

        _e.Patch(often);
        _e.Lea(Address, HostMemory.State(TlbWindow.At(x.Window)));
        _e.CallTo(_routines.JudgeWindow);
        _e.JumpBackIf(HostCondition.NotEqual, search);
        _e.MoveImmediate(Scratch, (ulong)(_e.Origin + x.Start));
        _e.Store(HostMemory.State(StateOffset.WindowlessSite), Scratch);
        _e.MoveImmediate(Scratch, (ulong)(_e.Origin + always));
        _e.Store(HostMemory.State(StateOffset.WindowlessSearch), Scratch);
        if (x.SlowPath < 0)
        {
            _misses[~x.SlowPath] = _misses[~x.SlowPath] with { Retry = search };
            _e.Patch(miss);
            _e.Patch(missAlways);
            EmitMiss(_misses[~x.SlowPath]);
            return;
        }

        int change = _e.Jump();
        SlowPath slow = _slow[x.SlowPath];
        _slow[x.SlowPath] = slow with { Jump = miss, Third = change, Fourth = missAlways, Fifth = unaligned };
    }

    private void KeepAddress(in Unseen x)
    {
        if (x.Keeping)
        {
            _e.Store(HostMemory.State(StateOffset.JumpTarget), Address);
        }
    }

    private void Resume(in Unseen x)
    {
        if (!x.Address.Is64)
        {
            LoadAddress(Scratch, x.Address, 0);
            _e.Op(0x03, Address, Scratch);
        }

        if (x.Keeping)
        {
            _e.Move(Scratch, Address);
            _e.Load(Address, HostMemory.State(StateOffset.JumpTarget));
        }

        _e.JumpBack(x.Resume);
    }
}
