using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Semantics.X87;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>VZEROUPPER and VZEROALL: of the registers that the mode can name. [APM4 VZEROALL]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class VectorZero
{
    private static Flow Upper(CpuState* s, Insn* i)
    {
        XsaveState.InitializeAvx(s, FxImage.VectorRegisters(s));
        return Flow.Next;
    }

    private static Flow All(CpuState* s, Insn* i)
    {
        XsaveState.InitializeXmm(s, FxImage.VectorRegisters(s));
        return Upper(s, i);
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.VEX_Vzeroupper, &Upper, legality: Legality.Avx);
        b.Add(Code.VEX_Vzeroall, &All, legality: Legality.Avx);
    }
}
