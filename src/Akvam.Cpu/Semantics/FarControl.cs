using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>Far JMP and CALL to code segments, and what they share with far returns. Gates are in <see cref="CallGate"/>. [APM3 JMP Far] [APM3 CALL Far] [SDM2 JMP] [SDM2 CALL]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class FarControl
{
    private static Flow JumpDirect(CpuState* s, Insn* i) => Jump(s, i, (ushort)(i->Imm >> 32), (uint)i->Imm);

    private static Flow JumpMem16(CpuState* s, Insn* i) => JumpMem(s, i, 2);

    private static Flow JumpMem32(CpuState* s, Insn* i) => JumpMem(s, i, 4);

    private static Flow JumpMem64(CpuState* s, Insn* i) => JumpMem(s, i, 8);

    private static Flow JumpMem(CpuState* s, Insn* i, int width) =>
        FarPointer.Load(s, i, width, out ushort selector, out ulong offset) ? Jump(s, i, selector, offset) : Flow.Abort;

    private static Flow CallDirect16(CpuState* s, Insn* i) => Call(s, i, 2, (ushort)(i->Imm >> 32), (uint)i->Imm);

    private static Flow CallDirect32(CpuState* s, Insn* i) => Call(s, i, 4, (ushort)(i->Imm >> 32), (uint)i->Imm);

    private static Flow CallMem16(CpuState* s, Insn* i) => CallMem(s, i, 2);

    private static Flow CallMem32(CpuState* s, Insn* i) => CallMem(s, i, 4);

    private static Flow CallMem64(CpuState* s, Insn* i) => CallMem(s, i, 8);

    private static Flow CallMem(CpuState* s, Insn* i, int width) =>
        FarPointer.Load(s, i, width, out ushort selector, out ulong offset) ? Call(s, i, width, selector, offset) : Flow.Abort;

    private static Flow Jump(CpuState* s, Insn* i, ushort selector, ulong offset)
    {
        if (!Segments.UsesDescriptors(s))
        {
            return offset > s->Cs.Limit ? Fault.Gp(s, 0) : TransferReal(s, selector, offset);
        }

        if (!ReadTarget(s, selector, out Descriptor d))
        {
            return Flow.Abort;
        }

        if (d.IsSystem)
        {
            return CallGate.Jump(s, selector, d, i->NextRip(s));
        }

        return CheckDirect(s, selector, d, out SegmentRegister cs) && CheckRip(s, in cs, offset) && DescriptorTable.SetAccessed(s, selector, d)
            ? Transfer(s, in cs, s->Cpl, offset)
            : Flow.Abort;
    }

    private static Flow Call(CpuState* s, Insn* i, int width, ushort selector, ulong offset)
    {
        ulong next = i->NextRip(s);
        SegmentRegister cs = default;
        if (Segments.UsesDescriptors(s))
        {
            if (!ReadTarget(s, selector, out Descriptor d))
            {
                return Flow.Abort;
            }

            if (d.IsSystem)
            {
                return CallGate.Call(s, selector, d, next);
            }

            if (!CheckDirect(s, selector, d, out cs) || !CheckRip(s, in cs, offset) || !DescriptorTable.SetAccessed(s, selector, d))
            {
                return Flow.Abort;
            }
        }
        else if (offset > s->Cs.Limit)
        {
            return Fault.Gp(s, 0);
        }

        StackFrame frame = default;
        frame.Begin(s, width);
        frame.Push(s->Cs.Selector);
        frame.Push(next);
        if (frame.Commit(s, 0) == Flow.Abort)
        {
            return Flow.Abort;
        }

        frame.SetRsp(s);
        return Segments.UsesDescriptors(s) ? Transfer(s, in cs, s->Cpl, offset) : TransferReal(s, selector, offset);
    }

    /// <summary>The descriptor of a far target; false: the fault is set.</summary>
    internal static bool ReadTarget(CpuState* s, ushort selector, out Descriptor d)
    {
        d = default;
        if (Segments.IsNull(selector))
        {
            Fault.Gp(s, 0);
            return false;
        }

        return DescriptorTable.Read(s, selector, Vector.GP, selector & 0xFFFCu, out d);
    }

    /// <summary>A code segment reached without a gate: it runs at the current level. False: the fault is set.</summary>
    private static bool CheckDirect(CpuState* s, ushort selector, Descriptor d, out SegmentRegister cs)
    {
        cs = default;
        uint error = selector & 0xFFFCu;
        bool allowed = d.IsConforming ? d.Dpl <= s->Cpl : (selector & 3) <= s->Cpl && d.Dpl == s->Cpl;
        if (!d.IsCode || !allowed || IsBadLong(s, d))
        {
            Fault.Gp(s, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, error);
            return false;
        }

        cs = d.ToRegister((ushort)((selector & ~3) | s->Cpl));
        return true;
    }

    /// <summary>In long mode L and D together are reserved. [APM2 4.8.1]</summary>
    internal static bool IsBadLong(CpuState* s, Descriptor d) => d.IsLong && d.IsBig && Segments.IsLongMode(s);

    /// <summary>The new RIP: canonical in 64-bit code, else within the limit; false: #GP(0) is set.</summary>
    internal static bool CheckRip(CpuState* s, in SegmentRegister cs, ulong rip)
    {
        if (cs.IsLong && Segments.IsLongMode(s) ? Canonical.Is(s, rip) : rip <= cs.Limit)
        {
            return true;
        }

        Fault.Gp(s, 0);
        return false;
    }

    internal static Flow Transfer(CpuState* s, in SegmentRegister cs, int cpl, ulong rip)
    {
        bool stays64 = Segments.IsCode64(s) && cs.IsLong;
        s->Cs = cs;
        s->Cpl = (byte)cpl;
        s->Rip = rip;
        if (stays64)
        {
            Processor.UpdateLevel(s);
        }
        else
        {
            Processor.UpdateMode(s);
        }

        return Flow.Jump;
    }

    internal static Flow TransferReal(CpuState* s, ushort selector, ulong rip)
    {
        s->Cs = Segments.RealMode(in s->Cs, selector);
        s->Rip = rip;
        Processor.UpdateMode(s);
        return Flow.Jump;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Jmp_ptr1616, &JumpDirect, legality: Legality.EndsBlock);
        b.Add(Code.Jmp_ptr1632, &JumpDirect, legality: Legality.EndsBlock);
        b.Add(Code.Jmp_m1616, null, &JumpMem16, legality: Legality.EndsBlock);
        b.Add(Code.Jmp_m1632, null, &JumpMem32, legality: Legality.EndsBlock);
        b.Add(Code.Jmp_m1664, null, &JumpMem64, legality: Legality.EndsBlock);
        b.Add(Code.Call_ptr1616, &CallDirect16, legality: Legality.EndsBlock);
        b.Add(Code.Call_ptr1632, &CallDirect32, legality: Legality.EndsBlock);
        b.Add(Code.Call_m1616, null, &CallMem16, legality: Legality.EndsBlock);
        b.Add(Code.Call_m1632, null, &CallMem32, legality: Legality.EndsBlock);
        b.Add(Code.Call_m1664, null, &CallMem64, legality: Legality.EndsBlock);
        FarReturn.Register(b);
        InterruptReturn.Register(b);
    }
}
