using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Or = 1, And = 4, Compare = 7, ShiftRight = 5, Xor = 0x33;

    /// <summary>
    /// The search of <see cref="Mem"/>: on a hit the address register holds what is to be added to the linear address; otherwise instruction
    /// <paramref name="n"/> goes its slow path; so it does when the operand has to be aligned to its size and is not. Changes flags and the scratch register.
    /// </summary>
    private void LookUp(int n, in GuestAddress address, int size, bool write, bool aligned = false)
    {
        if (_groupOf[n] >= 0)
        {
            LookUpGroup(n);
            return;
        }

        LookUpByWindow(n, address, size, write, aligned);
    }

    /// <summary>Gives "equal" when the bytes are in one page, which the TLB has; the address register is then the distance of its entry.</summary>
    private void Search(in GuestAddress address, int size, bool write)
    {
        LoadAddress(Address, address, 0);
        _e.ShiftRightInto(Scratch, Address, TlbSearch.FoldShift);
        _e.ShiftImmediate(ShiftRight, Address, TlbSearch.IndexShift);
        _e.Op(Xor, Address, Scratch, wide: false);
        LoadAddress(Scratch, address, size - 1);
        _e.AluImmediate(And, Address, TlbSearch.IndexMask, wide: false);
        _e.AluImmediate(And, Scratch, ~(int)TlbTag.Mask);
        _e.Op(0x0B, Scratch, HostMemory.State(StateOffset.DataTag));
        _e.Op(0x3B, Scratch, new HostMemory(HostRegister.State, Address, 0, write ? TlbSearch.WriteAt : TlbSearch.ReadAt));
    }

    private void LoadAddend() => _e.Load(Address, new HostMemory(HostRegister.State, Address, 0, TlbSearch.AddendAt));

    /// <summary>The linear address plus <paramref name="more"/>. May change flags.</summary>
    private void LoadAddress(int to, in GuestAddress a, int more)
    {
        if (!a.Is64)
        {
            LoadOffset(to, a);
            if (a.Segment != 0)
            {
                _e.Op(0x03, to, HostMemory.State(a.Segment), wide: false);
            }

            if (more != 0)
            {
                _e.Op(0x8D, to, new HostMemory(to, more), wide: false);
            }

            return;
        }

        int b = GuestAddress.Host(a.Base), index = GuestAddress.Host(a.Index);
        bool addBase = false;
        if (GuestAddress.InMemory(a.Index))
        {
            _e.Load(to, HostMemory.State(a.Index));
            index = to;
            addBase = GuestAddress.InMemory(a.Base);
        }
        else if (GuestAddress.InMemory(a.Base))
        {
            LoadBase(to, a.Base);
            b = to;
        }

        if (index < 0 && b >= 0 && a.Disp + more == 0)
        {
            // A move costs the host nothing.
            if (b != to)
            {
                _e.Move(to, b);
            }
        }
        else
        {
            _e.Lea(to, new HostMemory(b, index, a.Scale, a.Disp + more));
        }

        if (addBase)
        {
            _e.Op(0x03, to, HostMemory.State(a.Base));
        }

        if (a.Segment != 0)
        {
            _e.Op(0x03, to, HostMemory.State(a.Segment));
        }
    }

    /// <summary>Outside 64-bit code: the offset in a segment. Changes no flag.</summary>
    private void LoadOffset(int to, in GuestAddress a)
    {
        _e.Op(0x8D, to, new HostMemory(GuestAddress.Host(a.Base), GuestAddress.Host(a.Index), a.Scale, a.Disp), wide: false);
        if (a.Width == 2)
        {
            _e.Op(0x0FB7, to, to, wide: false);
        }
    }

    /// <summary>The host operand after <see cref="LookUp"/>. The scratch register is free then. Changes flags for segments, and for what is relative to RIP.</summary>
    private HostMemory Operand(in GuestAddress a)
    {
        if (!a.Is64)
        {
            return new HostMemory(Address);
        }

        int b = GuestAddress.Host(a.Base), index = GuestAddress.Host(a.Index);
        if (a.Segment != 0)
        {
            _e.Op(0x03, Address, HostMemory.State(a.Segment));
        }

        if (a.Base == Register.RipOffset)
        {
            _e.MoveImmediate(Scratch, _block->Rip);
            _e.Op(0x03, Address, Scratch);
            b = -1;
        }
        else if (GuestAddress.InMemory(a.Base))
        {
            _e.Load(Scratch, HostMemory.State(a.Base));
            _e.Lea(Address, new HostMemory(Address, Scratch, 0, 0));
            b = -1;
        }

        if (GuestAddress.InMemory(a.Index))
        {
            if (b >= 0)
            {
                _e.Lea(Address, new HostMemory(Address, b, 0, 0));
            }

            _e.Load(Scratch, HostMemory.State(a.Index));
            _e.Lea(Address, new HostMemory(Address, Scratch, a.Scale, a.Disp));
            return new HostMemory(Address);
        }

        if (index < 0)
        {
            return new HostMemory(Address, b, 0, a.Disp);
        }

        if (b >= 0)
        {
            _e.Lea(Address, new HostMemory(Address, b, 0, 0));
        }

        return new HostMemory(Address, index, a.Scale, a.Disp);
    }

    /// <summary>A base that is in no host register: RIP is known here.</summary>
    private void LoadBase(int to, int offset)
    {
        if (offset == Register.RipOffset)
        {
            _e.MoveImmediate(to, _block->Rip);
        }
        else
        {
            _e.Load(to, HostMemory.State(offset));
        }
    }

    /// <summary>A general register of the guest to push or store: a host register, the scratch register if it is in memory.</summary>
    private int LoadGuest(int guest, int scratch)
    {
        int host = HostRegister.Of(guest);
        if (host >= 0)
        {
            return host;
        }

        _e.Load(scratch, HostMemory.State(guest * 8));
        return scratch;
    }

    private void StoreGuest(int guest, int host)
    {
        if (HostRegister.Of(guest) < 0)
        {
            _e.Store(HostMemory.State(guest * 8), host);
        }
    }
}
