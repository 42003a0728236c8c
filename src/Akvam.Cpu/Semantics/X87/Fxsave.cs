using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. [APM5 FXSAVE] [APM4 LDMXCSR]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Fxsave
{
    private const int Size = 512;

    private static Flow Save(CpuState* s, Insn* i) => Save(s, i, wide: false);

    private static Flow Save64(CpuState* s, Insn* i) => Save(s, i, wide: true);

    private static Flow Restore(CpuState* s, Insn* i) => Restore(s, i, wide: false);

    private static Flow Restore64(CpuState* s, Insn* i) => Restore(s, i, wide: true);

    /// <summary>Without CR4.OSFXSR, and with EFER.FFXSR at privilege 0 in 64-bit mode, the XMM registers are left out. [APM2 11.5.10, 3.1.7]</summary>
    private static bool HasXmm(CpuState* s) => (s->Mode & ModeKey.OsFxsr) != 0
        && !((s->Efer & Efer.FFXSR) != 0 && (s->Mode & ModeKey.Cpl0) != 0 && (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64);

    private static bool Address(CpuState* s, Insn* i, AccessKind kind, out ulong linear)
    {
        if (!Mem.Address(s, i, Size, kind, out linear))
        {
            return false;
        }

        if ((linear & 15) != 0)
        {
            Fault.Gp(s, 0);
            return false;
        }

        return true;
    }

    private static Flow Save(CpuState* s, Insn* i, bool wide)
    {
        if (!Address(s, i, AccessKind.Write, out ulong linear) || !Mem.Probe(s, linear, Size, AccessKind.Write))
        {
            return Flow.Abort;
        }

        // What follows the last register is not written.
        byte* area = stackalloc byte[Size];
        FxImage.WriteX87(s, area, wide);
        FxImage.WriteMxcsr(s, area);
        int size = FxImage.XmmAt;
        if (HasXmm(s))
        {
            FxImage.WriteXmm(s, area, FxImage.VectorRegisters(s));
            size += 16 * FxImage.VectorRegisters(s);
        }

        return Mem.StoreBytes(s, linear, area, size);
    }

    private static Flow Restore(CpuState* s, Insn* i, bool wide)
    {
        byte* area = stackalloc byte[Size];
        if (!Address(s, i, AccessKind.Read, out ulong linear) || !Mem.LoadBytes(s, linear, area, Size))
        {
            return Flow.Abort;
        }

        uint mxcsr = *(uint*)(area + FxImage.MxcsrAt);
        if ((s->Mode & ModeKey.OsFxsr) != 0)
        {
            if ((mxcsr & ~Mxcsr.Defined) != 0)
            {
                return Fault.Gp(s, 0);
            }

            s->Mxcsr = mxcsr;
        }

        FxImage.ReadX87(s, area, wide);
        if (HasXmm(s))
        {
            FxImage.ReadXmm(s, area, FxImage.VectorRegisters(s));
        }

        return Flow.Next;
    }

    private static Flow Ldmxcsr(CpuState* s, Insn* i)
    {
        if (!Mem.Load(s, i, out uint value))
        {
            return Flow.Abort;
        }

        if ((value & ~Mxcsr.Defined) != 0)
        {
            return Fault.Gp(s, 0);
        }

        s->Mxcsr = value;
        return Flow.Next;
    }

    private static Flow Stmxcsr(CpuState* s, Insn* i) => Mem.Store(s, i, s->Mxcsr);

    /// <remarks>What may unmask an exception ends its block: blocks of host code are entered with all masked.</remarks>
    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Fxsave_m512byte, null, &Save, legality: Legality.X87);
        b.Add(Code.Fxsave64_m512byte, null, &Save64, legality: Legality.X87);
        b.Add(Code.Fxrstor_m512byte, null, &Restore, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Fxrstor64_m512byte, null, &Restore64, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Ldmxcsr_m32, null, &Ldmxcsr, legality: Legality.Sse | Legality.EndsBlock);
        b.Add(Code.Stmxcsr_m32, null, &Stmxcsr, legality: Legality.Sse);
        b.Add(Code.VEX_Vldmxcsr_m32, null, &Ldmxcsr, legality: Legality.Avx | Legality.EndsBlock);
        b.Add(Code.VEX_Vstmxcsr_m32, null, &Stmxcsr, legality: Legality.Avx);
    }
}
