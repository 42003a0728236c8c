using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, WAIT, EMMS, and what the 8087 and 80287 needed. They leave the instruction pointers alone. [APM5 FLDCW] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class X87Control
{
    /// <summary>Bits of FCW that exist, and the one that always reads as one. [SDM1 8.1.5]</summary>
    private const ushort FcwBits = 0x1F3F, FcwFixed = 0x40;

    public static ushort LegalFcw(ushort value) => (ushort)((value & FcwBits) | FcwFixed);

    private static Flow Fninit(CpuState* s, Insn* i)
    {
        X87State.Initialize(s);
        return Flow.Next;
    }

    private static Flow Fnclex(CpuState* s, Insn* i)
    {
        X87State.Fsw(s) &= unchecked((ushort)~(X87State.ExceptionFlags | X87State.StackFault | X87State.Summary | X87State.Busy));
        return Flow.Next;
    }

    private static Flow Fldcw(CpuState* s, Insn* i)
    {
        if (!X87State.CheckPending(s) || !Mem.Load(s, i, out ushort value))
        {
            return Flow.Abort;
        }

        X87State.Fcw(s) = LegalFcw(value);
        X87State.UpdateSummary(s);
        return Flow.Next;
    }

    private static Flow Fnstcw(CpuState* s, Insn* i) => Mem.Store(s, i, X87State.Fcw(s));

    private static Flow Fnstsw(CpuState* s, Insn* i) => Mem.Store(s, i, X87State.Fsw(s));

    private static Flow FnstswAx(CpuState* s, Insn* i)
    {
        *(ushort*)&s->Gpr[Akvam.Cpu.State.Register.Rax] = X87State.Fsw(s);
        return Flow.Next;
    }

    private static Flow Wait(CpuState* s, Insn* i) => X87State.CheckPending(s) ? Flow.Next : Flow.Abort;

    private static Flow Emms(CpuState* s, Insn* i)
    {
        if (!X87State.CheckPending(s))
        {
            return Flow.Abort;
        }

        X87State.Ftw(s) = 0;
        X87State.SetTop(s, 0);
        return Flow.Next;
    }

    /// <summary>FNENI, FNDISI, FNSETPM: nothing to do since the 80387. [SDM3 23.18.6]</summary>
    private static Flow Nothing(CpuState* s, Insn* i) => Flow.Next;

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Fninit, &Fninit, legality: Legality.X87);
        b.Add(Code.Fnclex, &Fnclex, legality: Legality.X87);
        b.Add(Code.Fldcw_m2byte, null, &Fldcw, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Fnstcw_m2byte, null, &Fnstcw, legality: Legality.X87);
        b.Add(Code.Fnstsw_m2byte, null, &Fnstsw, legality: Legality.X87);
        b.Add(Code.Fnstsw_AX, &FnstswAx, legality: Legality.X87);
        b.Add(Code.Wait, &Wait, legality: Legality.Wait);
        b.Add(Code.Emms, &Emms, legality: Legality.Mmx);
        b.Add(Code.Fneni, &Nothing, legality: Legality.X87);
        b.Add(Code.Fndisi, &Nothing, legality: Legality.X87);
        b.Add(Code.Fnsetpm, &Nothing, legality: Legality.X87);
    }
}
