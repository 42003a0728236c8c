using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>Far RET, and the checks of CS and SS that IRET shares. [APM3 RET Far] [SDM2 RET]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class FarReturn
{
    private static Flow Ret16(CpuState* s, Insn* i) => Return(s, 2, 0);

    private static Flow Ret32(CpuState* s, Insn* i) => Return(s, 4, 0);

    private static Flow Ret64(CpuState* s, Insn* i) => Return(s, 8, 0);

    private static Flow Ret16Imm(CpuState* s, Insn* i) => Return(s, 2, (ushort)i->Imm);

    private static Flow Ret32Imm(CpuState* s, Insn* i) => Return(s, 4, (ushort)i->Imm);

    private static Flow Ret64Imm(CpuState* s, Insn* i) => Return(s, 8, (ushort)i->Imm);

    private static Flow Return(CpuState* s, int width, int release)
    {
        if (!Slot(s, 0, width, out ulong rip) || !Slot(s, width, width, out ulong slot))
        {
            return Flow.Abort;
        }

        ushort selector = (ushort)slot;
        int used = (2 * width) + release;
        if (!Segments.UsesDescriptors(s))
        {
            if (rip > s->Cs.Limit)
            {
                return Fault.Gp(s, 0);
            }

            Stack.Release(s, used);
            return FarControl.TransferReal(s, selector, rip);
        }

        if (!CheckCode(s, selector, out SegmentRegister cs))
        {
            return Flow.Abort;
        }

        int cpl = selector & 3;
        if (cpl == s->Cpl)
        {
            if (!FarControl.CheckRip(s, in cs, rip))
            {
                return Flow.Abort;
            }

            Stack.Release(s, used);
            return FarControl.Transfer(s, in cs, cpl, rip);
        }

        if (!Slot(s, used, width, out ulong rsp) || !Slot(s, used + width, width, out ulong stackSlot)
            || !CheckStack(s, (ushort)stackSlot, in cs, cpl, out SegmentRegister ss) || !FarControl.CheckRip(s, in cs, rip))
        {
            return Flow.Abort;
        }

        s->Ss = ss;
        FarControl.Transfer(s, in cs, cpl, rip);

        // The parameters are released from the outer stack too, in its own width.
        Stack.SetPointer(s, rsp + (ulong)release);
        Segments.Nullify(s, cpl);
        Processor.UpdateMode(s);
        return Flow.Jump;
    }

    /// <summary>A value of the given width on the stack; false: the fault is set.</summary>
    internal static bool Slot(CpuState* s, int offset, int width, out ulong value)
    {
        bool good;
        if (width == 8)
        {
            return Stack.Peek(s, offset, out value);
        }

        if (width == 4)
        {
            good = Stack.Peek(s, offset, out uint wide);
            value = wide;
            return good;
        }

        good = Stack.Peek(s, offset, out ushort narrow);
        value = narrow;
        return good;
    }

    /// <summary>The CS of a return: a code segment of the level in its RPL, which is this one or an outer one; false: the fault is set.</summary>
    internal static bool CheckCode(CpuState* s, ushort selector, out SegmentRegister cs)
    {
        cs = default;
        if (Segments.IsNull(selector))
        {
            Fault.Gp(s, 0);
            return false;
        }

        uint error = selector & 0xFFFCu;
        if (!DescriptorTable.Read(s, selector, Vector.GP, error, out Descriptor d))
        {
            return false;
        }

        int rpl = selector & 3;
        if (!d.IsCode || rpl < s->Cpl || (d.IsConforming ? d.Dpl > rpl : d.Dpl != rpl) || FarControl.IsBadLong(s, d))
        {
            Fault.Gp(s, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, error);
            return false;
        }

        cs = d.ToRegister(selector);
        return DescriptorTable.SetAccessed(s, selector, d);
    }

    /// <summary>The SS of a return to level <paramref name="cpl"/>. Null is good for 64-bit code outside CPL 3. False: the fault is set.</summary>
    internal static bool CheckStack(CpuState* s, ushort selector, in SegmentRegister cs, int cpl, out SegmentRegister ss)
    {
        if (!Segments.IsNull(selector))
        {
            return Segments.CheckStack(s, selector, cpl, Vector.GP, 0, out ss);
        }

        ss = Segments.Null(in s->Ss, selector);
        if (Segments.IsLongMode(s) && cs.IsLong && cpl != 3 && (selector & 3) == cpl)
        {
            return true;
        }

        Fault.Gp(s, 0);
        return false;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Retfw, &Ret16, legality: Legality.EndsBlock);
        b.Add(Code.Retfd, &Ret32, legality: Legality.EndsBlock);
        b.Add(Code.Retfq, &Ret64, legality: Legality.EndsBlock);
        b.Add(Code.Retfw_imm16, &Ret16Imm, legality: Legality.EndsBlock);
        b.Add(Code.Retfd_imm16, &Ret32Imm, legality: Legality.EndsBlock);
        b.Add(Code.Retfq_imm16, &Ret64Imm, legality: Legality.EndsBlock);
    }
}
