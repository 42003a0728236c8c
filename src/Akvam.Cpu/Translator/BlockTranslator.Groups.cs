using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. Accesses near one another, through the same registers but for known distances, mostly fall into one page: the first of them searches the TLB
/// for all, and the others take what it found. When they do not, or the TLB has not the page, the rest of the block is done by a twin without groups.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Bytes from the first to the last that a group may span: the more, the more often it crosses a page.</summary>
    private const int MaxSpan = 512;

    /// <summary>Bytes that a base may move while it is followed.</summary>
    private const int MaxDistance = 1 << 20;

    /// <summary>What a probe is asked: how many bytes, whether the first access is a write, and whether one of them is.</summary>
    public const int ProbeSpan = 0xFFFF, ProbeWrites = 1 << 16, ProbeWillWrite = 1 << 17;

    /// <summary>Groups that are followed at a time.</summary>
    private const int MaxOpen = 8;

    private readonly Group[] _groups = new Group[Interpreter.BlockCache.MaxInstructions];
    private readonly int[] _groupOf = new int[Interpreter.BlockCache.MaxInstructions];
    private readonly int[] _open = new int[MaxOpen];
    private readonly List<Miss> _misses = [];
    private readonly bool[] _isAligned = new bool[Interpreter.BlockCache.MaxInstructions];
    private int _groupCount, _openCount;

    /// <summary>Accesses through <see cref="Address"/> plus <see cref="From"/> to <see cref="To"/>, as the registers are at <see cref="First"/>; <see cref="Moved"/>: how far the base has moved since. At <see cref="AlignedAt"/> it is aligned to <see cref="Alignment"/>.</summary>
    private record struct Group(GuestAddress Address, int Window, int First, int Last, int From, int To, int Moved, bool Writes, int Alignment = 0, int AlignedAt = 0);

    /// <summary>The first instruction of a group that the TLB may not have all of, and where it may search again.</summary>
    private readonly record struct Miss(int Number, int Retry, Units Held, Deferred? Deferred);

    /// <summary>The TLB was searched for the memory operand before.</summary>
    private bool IsFound(int n) => _groupOf[n] >= 0 && _groups[_groupOf[n]].First != n && !NeedsAlignment(n);

    /// <summary>The operand has to be aligned, or the instruction faults; and nothing is known about it.</summary>
    private bool NeedsAlignment(int n) => _forms[n] == Coverage.Form.Encoded && (_needs[n] & EncodedCoverage.Needs.Alignment) != 0 && !_isAligned[n];

    /// <summary>An access that may leave the block.</summary>
    private bool MayLeave(int n) => Accesses(n) && !IsFound(n);

    private void FindGroups(bool none)
    {
        _misses.Clear();
        _groupCount = _openCount = 0;
        Array.Fill(_groupOf, -1, 0, _block->Count);
        Array.Clear(_isAligned);
        for (int n = 0; n < _block->Count && !none; n++)
        {
            if (_forms[n] == Coverage.Form.Interpreted)
            {
                _openCount = 0;
                continue;
            }

            if (TryAccess(n, out GuestAddress address, out int size, out bool writes))
            {
                Join(n, address, size, writes);
            }

            if (_openCount != 0)
            {
                Follow(n);
            }
        }

        for (int n = 0; n < _block->Count; n++)
        {
            if (_groupOf[n] >= 0 && _groups[_groupOf[n]] is var group && group.First == group.Last)
            {
                _groupOf[n] = -1;
            }
        }
    }

    private bool TryAccess(int n, out GuestAddress address, out int size, out bool writes)
    {
        size = 8;
        writes = false;
        switch (_forms[n])
        {
            case Coverage.Form.Push or Coverage.Form.Call:
                address = GuestAddress.OnStack(State.Register.Rsp, -8, _block->Mode);
                writes = true;
                return true;
            case Coverage.Form.Pop or Coverage.Form.Return:
                address = GuestAddress.OnStack(State.Register.Rsp, 0, _block->Mode);
                return true;
            case Coverage.Form.Plain or Coverage.Form.Encoded when Accesses(n) && !IsMasked(_guest[n]):
                address = AddressOf(n);
                size = _guest[n].MemorySize.GetSize();
                writes = WritesMemory(_guest[n]);
                return address.Segment == 0 && address.Base < 16 * 8 && size is > 0 and <= 32;
            default:
                address = default;
                return false;
        }
    }

    /// <summary>May access nothing: then neither may the search for its page, which would set the page's accessed and dirty bits.</summary>
    private static bool IsMasked(in Instruction x) => x.Mnemonic is Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd or Mnemonic.Vpmaskmovq;

    private bool WritesMemory(in Instruction x)
    {
        InstructionInfo info = _info.GetInfo(x);
        for (int n = 0; n < x.OpCount; n++)
        {
            if (x.GetOpKind(n) == OpKind.Memory && Writes(info.GetOpAccess(n)))
            {
                return true;
            }
        }

        return false;
    }

    private void Join(int n, in GuestAddress address, int size, bool writes)
    {
        for (int k = 0; k < _openCount; k++)
        {
            ref Group g = ref _groups[_open[k]];
            if (g.Address.Base != address.Base || g.Address.Index != address.Index || g.Address.Scale != address.Scale)
            {
                continue;
            }

            long from = Math.Min(g.From, (long)address.Disp + g.Moved), to = Math.Max(g.To, (long)address.Disp + g.Moved + size);
            if (to - from > MaxSpan || from < int.MinValue || to > int.MaxValue)
            {
                Close(k);
                break;
            }

            g.From = (int)from;
            g.To = (int)to;
            g.Writes |= writes;
            g.Last = n;
            _groupOf[n] = _open[k];
            Align(ref g, n, address.Disp + g.Moved, size);
            return;
        }

        if (_openCount == _open.Length || address.Disp > int.MaxValue - size)
        {
            return;
        }

        _groups[_groupCount] = new Group(address, -1, n, n, address.Disp, address.Disp + size, 0, writes);
        _open[_openCount++] = _groupCount;
        Align(ref _groups[_groupCount], n, address.Disp, size);
        _groupOf[n] = _groupCount++;
    }

    /// <summary>What one access of a group is checked for need not be checked again at a multiple of it.</summary>
    private void Align(ref Group g, int n, int at, int size)
    {
        if (!NeedsAlignment(n))
        {
            return;
        }

        if (g.Alignment >= size && (at - g.AlignedAt) % size == 0)
        {
            _isAligned[n] = true;
        }
        else
        {
            g.Alignment = size;
            g.AlignedAt = at;
        }
    }

    private void Close(int k) => _open[k] = _open[--_openCount];

    /// <summary>What an instruction does to the registers of the groups that are open.</summary>
    private void Follow(int n)
    {
        ref readonly Instruction x = ref _guest[n];
        int moved = Distance(n, out int guest);
        if (guest >= 0)
        {
            Change(guest, moved, known: true);
            if (_forms[n] == Coverage.Form.Pop)
            {
                Change(Guest(x, 0), 0, known: false);
            }

            return;
        }

        foreach (UsedRegister used in _info.GetInfo(x).GetUsedRegisters())
        {
            if (Writes(used.Access) && used.Register.IsGPR())
            {
                Change(used.Register.GetFullRegister().GetNumber(), 0, known: false);
            }
        }
    }

    private void Change(int guest, int by, bool known)
    {
        for (int k = _openCount - 1; k >= 0; k--)
        {
            ref Group g = ref _groups[_open[k]];
            if (g.Address.Index == guest * 8 || (g.Address.Base == guest * 8 && (!known || Math.Abs((long)g.Moved + by) > MaxDistance)))
            {
                Close(k);
            }
            else if (g.Address.Base == guest * 8)
            {
                g.Moved += by;
            }
        }
    }

    /// <summary>The register (-1: none) that an instruction moves by a known distance, changing no other.</summary>
    private int Distance(int n, out int guest)
    {
        ref readonly Instruction x = ref _guest[n];
        guest = State.Register.Rsp;
        switch (_forms[n])
        {
            case Coverage.Form.Push or Coverage.Form.Call:
                return -8;
            case Coverage.Form.Pop:
                return 8;
        }

        guest = -1;
        if (_forms[n] != Coverage.Form.Plain || x.Op0Kind != OpKind.Register || x.Op0Register.GetSize() != 8)
        {
            return 0;
        }

        int to = Guest(x, 0);
        long by;
        switch (x.Mnemonic)
        {
            case Mnemonic.Inc:
                by = 1;
                break;
            case Mnemonic.Dec:
                by = -1;
                break;
            case Mnemonic.Add when x.Op1Kind != OpKind.Register && x.Op1Kind != OpKind.Memory:
                by = (long)x.GetImmediate(1);
                break;
            case Mnemonic.Sub when x.Op1Kind != OpKind.Register && x.Op1Kind != OpKind.Memory:
                by = -(long)x.GetImmediate(1);
                break;
            case Mnemonic.Lea when AddressOf(n) is var a && a.Base == to * 8 && a.Index == State.Register.ZeroOffset && (Insn(n)->Flags & (Interpreter.InsnFlags.Addr16 | Interpreter.InsnFlags.Addr32)) == 0:
                by = a.Disp;
                break;
            default:
                return 0;
        }

        if (Math.Abs(by) > MaxDistance)
        {
            return 0;
        }

        guest = to;
        return (int)by;
    }

    /// <summary>The part of <see cref="LookUp"/> for an instruction of a group.</summary>
    private void LookUpGroup(int n)
    {
        ref Group g = ref _groups[_groupOf[n]];
        if (NeedsAlignment(n))
        {
            // TEST
            LoadAddress(Scratch, AddressOf(n), 0);
            _e.Op(0xF6, 0, Scratch, wide: false);
            _e.U8(_guest[n].MemorySize.GetSize() - 1);
            Slow(_e.JumpIf(HostCondition.NotEqual), n);
        }

        if (g.First != n)
        {
            NeedAddend(g.Window);
            return;
        }

        g.Window = TakeWindow(g.To - g.From, g.Writes);
        GuestAddress from = g.Address with { Disp = g.From };
        int start = _e.Position;
        LoadAddress(Scratch, from, 0);
        int jump = CompareWithWindow(g.Window);
        _unseen.Add(new Unseen(start, jump, _e.Position, g.Window, ~_misses.Count, from, g.To - g.From, g.Writes, false));
        _misses.Add(new Miss(n, 0, _held, _deferred));
    }

    /// <summary>Within a page, the TLB may be given the translation; it is asked to only for the kind of access that comes first. Otherwise the twin goes on.</summary>
    private void EmitMiss(Miss miss)
    {
        ref readonly Group g = ref _groups[_groupOf[miss.Number]];
        TryAccess(miss.Number, out _, out _, out bool writes);
        LoadAddress(Scratch, g.Address with { Disp = g.From }, 0);
        LoadAddress(Address, g.Address with { Disp = g.From }, g.To - g.From - 1);
        _e.Op(0x33, Address, Scratch);
        _e.ShiftImmediate(ShiftRight, Address, 12);
        int crosses = _e.JumpIf(HostCondition.NotEqual);
        _e.Rex(false, 0, 0, Address >> 3, false);
        _e.U8(0xB8 | (Address & 7));
        _e.U32((g.To - g.From) | (writes ? ProbeWrites : 0) | (g.Writes ? ProbeWillWrite : 0));
        _e.CallTo(_routines.Probe);
        int failed = _e.JumpIf(HostCondition.Equal);
        LoadUnits(miss.Held);
        _e.JumpBack(miss.Retry);
        _e.Patch(crosses);
        _e.Patch(failed);
        EmitLeaving(miss.Deferred, miss.Number < _loopWriter);
        _e.AluImmediate(Add, HostRegister.Left, _block->Count - miss.Number);
        AddEdge(_block->Rip + Insn(miss.Number)->Offset, _e.Jump(), twin: true);
    }
}
