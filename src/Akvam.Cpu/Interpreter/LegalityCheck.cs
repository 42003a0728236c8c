using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Interpreter;

/// <summary>The check before execution, made once at decoding: mode, CPUID feature, FPU state, then privilege. [SDM3 6.9: faults from decoding]</summary>
/// <remarks>Valid because the function pointers are to static methods, which never move.</remarks>
internal static unsafe class LegalityCheck
{
    /// <summary>The handler to run instead, or null when the instruction may execute in the current mode.</summary>
    public static delegate*<CpuState*, Insn*, Flow> Reject(Processor p, CpuState* s, in IsaRow row, in Instruction instruction, bool memory)
    {
        Legality l = row.Legality;
        ModeKey m = s->Mode;
        bool protectedMode = (m & (ModeKey.Protected | ModeKey.Virtual8086)) == ModeKey.Protected;
        if (((l & Legality.Protected) != 0 && !protectedMode)
            || ((l & Legality.Only64) != 0 && (m & ModeKey.BitnessMask) != ModeKey.Code64)
            || ((l & Legality.Smm) != 0 && (m & ModeKey.Smm) == 0)
            || ((l & Legality.Svm) != 0 && (!protectedMode || (m & ModeKey.Svme) == 0))
            || ((l & Legality.FsGsBase) != 0 && (m & ModeKey.FsGsBase) == 0)
            || ((l & Legality.Pke) != 0 && (m & ModeKey.Pke) == 0)
            || ((l & Legality.Sce) != 0 && (m & ModeKey.Sce) == 0)
            || ((l & Legality.Xsave) != 0 && (m & ModeKey.OsXsave) == 0))
        {
            return &IllegalInstruction.Undefined;
        }

        if ((l & Legality.Hint) == 0 && !p.OffersInstruction(instruction.Code))
        {
            return &IllegalInstruction.Undefined;
        }

        bool ts = (m & ModeKey.Ts) != 0, em = (m & ModeKey.Em) != 0;
        if ((l & Legality.Avx) != 0)
        {
            if (!protectedMode || (m & ModeKey.OsXsave) == 0 || (m & ModeKey.AvxEnabled) == 0)
            {
                return &IllegalInstruction.Undefined;
            }

            if (ts)
            {
                return &IllegalInstruction.NotAvailable;
            }
        }

        if (((l & Legality.Sse) != 0 && (em || (m & ModeKey.OsFxsr) == 0)) || ((l & Legality.Mmx) != 0 && em))
        {
            return &IllegalInstruction.Undefined;
        }

        if (((l & (Legality.Sse | Legality.Mmx)) != 0 && ts)
            || ((l & Legality.X87) != 0 && (ts || em))
            || ((l & Legality.Wait) != 0 && ts && (m & ModeKey.Mp) != 0))
        {
            return &IllegalInstruction.NotAvailable;
        }

        if (((l & Legality.Cpl0) != 0 && (m & ModeKey.Cpl0) == 0) || ((l & Legality.Umip) != 0 && (m & ModeKey.Umip) != 0))
        {
            return &IllegalInstruction.Privileged;
        }

        return null;
    }
}
