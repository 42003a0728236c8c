using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Semantics.X87;
using Akvam.Cpu.State;
using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Masks = X87State.ExceptionFlags;

    /// <summary>
    /// What the unit remembers of its last instruction, put into the image: the host's unit remembers host addresses. Changes scratch and address register, no flag.
    /// [SDM1 8.1.8]
    /// </summary>
    private void RememberX87(int n)
    {
        Insn* i = Insn(n);
        if (Accesses(n))
        {
            StoreDataPointer(AddressOf(n));
            CopySelector(StateOffset.Fds, StateOffset.SegmentSelector(i->Segment));
        }

        if (IsForgotten(n))
        {
            return;
        }

        _e.U8(0x66);
        _e.Op(0xC7, 0, HostMemory.State(CpuState.FxOffset + X87State.FopAt), wide: false);
        _e.ImmediateOf(2, X87Ops.Opcode(i));
        _e.Store64(HostMemory.State(CpuState.FxOffset + X87State.FipAt), RipOf(i->Offset), Scratch);
        CopySelector(StateOffset.Fcs, StateOffset.SegmentSelector(Segment.Cs));
    }

    /// <summary>Before anybody can see it another instruction takes its place.</summary>
    private bool IsForgotten(int n)
    {
        while (++n < _block->Count)
        {
            switch (_forms[n])
            {
                case Coverage.Form.Encoded when (_needs[n] & Needs.Pointers) != 0:
                    return !Accesses(n);
                case Coverage.Form.Encoded or Coverage.Form.Plain or Coverage.Form.Nothing when !Accesses(n):
                    break;
                default:
                    return false;
            }
        }

        return false;
    }

    /// <summary>The effective address, without the segment's base.</summary>
    private void StoreDataPointer(in GuestAddress a)
    {
        if (!a.Is64)
        {
            LoadOffset(Scratch, a);
            _e.Store(HostMemory.State(CpuState.FxOffset + X87State.FdpAt), Scratch);
            return;
        }

        int b = GuestAddress.Host(a.Base), index = GuestAddress.Host(a.Index);
        if (GuestAddress.InMemory(a.Base))
        {
            LoadBase(Scratch, a.Base);
            b = Scratch;
        }

        if (GuestAddress.InMemory(a.Index))
        {
            _e.Load(Address, HostMemory.State(a.Index));
            index = Address;
        }

        _e.Lea(Scratch, new HostMemory(b, index, a.Scale, a.Disp));
        _e.Store(HostMemory.State(CpuState.FxOffset + X87State.FdpAt), Scratch);
    }

    private void CopySelector(int to, int from)
    {
        _e.LoadSized(Scratch, HostMemory.State(from), 2);
        _e.StoreSized(HostMemory.State(to), Scratch, 2);
    }

    /// <summary>
    /// FLDCW ends its block. The value is checked where nobody else can change it: one that unmasks an exception is the interpreter's, which also has the blocks that
    /// follow.
    /// </summary>
    private void EmitLoadControl(int n)
    {
        GuestAddress address = AddressOf(n);
        ForgetHostFlags();
        LookUp(n, address, 2, write: false);
        _e.LoadSized(Scratch, Operand(address), 2);
        _e.Op(0x89, Scratch, HostMemory.State(CpuState.ScratchOffset), wide: false);
        _e.AluImmediate(And, Scratch, Masks, wide: false);
        _e.AluImmediate(Compare, Scratch, Masks, wide: false);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
        _e.Op(0xD9, 5, HostMemory.State(CpuState.ScratchOffset), wide: false);
    }
}
