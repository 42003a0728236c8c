using System.Numerics;
using System.Runtime.Intrinsics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using static Akvam.Cpu.Semantics.Simd.VectorForm;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Moves of 4 and 8 bytes: MOVSS, MOVSD, MOVD, MOVQ, MOVLPS, MOVHPS and relatives. [APM4 MOVQ] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class ScalarMoves
{
    /// <summary>The rest of the XMM register is cleared.</summary>
    private static void SetExtended<TForm, T>(byte* register, T value)
        where TForm : IForm<Vector128<byte>>
        where T : unmanaged, IBinaryInteger<T> => TForm.Set(register, Vector128.CreateScalar(ulong.CreateTruncating(value)).AsByte());

    private static Flow Load<TForm, T>(CpuState* s, Insn* i)
        where TForm : IForm<Vector128<byte>>
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T value))
        {
            return Flow.Abort;
        }

        SetExtended<TForm, T>(VectorForm.Register(s, i->R0), value);
        return Flow.Next;
    }

    private static Flow FromGeneral<TForm, T>(CpuState* s, Insn* i)
        where TForm : IForm<Vector128<byte>>
        where T : unmanaged, IBinaryInteger<T>
    {
        SetExtended<TForm, T>(VectorForm.Register(s, i->R0), Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow ToGeneral<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        Operand.Set(s, i->R0, *(T*)VectorForm.Register(s, i->R1));
        return Flow.Next;
    }

    /// <summary>MOVQ xmm, xmm: the upper 8 bytes are cleared.</summary>
    private static Flow CopyExtended<TForm>(CpuState* s, Insn* i)
        where TForm : IForm<Vector128<byte>>
    {
        SetExtended<TForm, ulong>(VectorForm.Register(s, i->R0), *(ulong*)VectorForm.Register(s, i->R1));
        return Flow.Next;
    }

    /// <summary>MOVSS and MOVSD xmm, xmm: the rest of the target stays.</summary>
    private static Flow Merge<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        // Written as a whole: the host forwards a narrow store to the 16-byte load that usually follows only slowly.
        var target = (Vector128<T>*)VectorForm.Register(s, i->R0);
        *target = target->WithElement(0, *(T*)VectorForm.Register(s, i->R1));
        return Flow.Next;
    }

    private static Flow Store<T>(CpuState* s, Insn* i)
        where T : unmanaged => Mem.Store(s, i, *(T*)VectorForm.Register(s, i->R1));

    private static Flow StoreHigh(CpuState* s, Insn* i) => Mem.Store(s, i, *(ulong*)(VectorForm.Register(s, i->R1) + 8));

    private static Flow LoadLow(CpuState* s, Insn* i) => LoadHalf(s, i, 0);

    private static Flow LoadHigh(CpuState* s, Insn* i) => LoadHalf(s, i, 8);

    private static Flow LoadHalf(CpuState* s, Insn* i, int offset)
    {
        if (!Mem.Load(s, i, out ulong value))
        {
            return Flow.Abort;
        }

        *(ulong*)(VectorForm.Register(s, i->R0) + offset) = value;
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Movss_xmm_xmmm32, &Merge<uint>, &Load<Sse, uint>, legality: Legality.Sse);
        b.Add(Code.Movsd_xmm_xmmm64, &Merge<ulong>, &Load<Sse, ulong>, legality: Legality.Sse);
        b.Add(Code.Movss_xmmm32_xmm, &Merge<uint>, &Store<uint>, legality: Legality.Sse);
        b.Add(Code.Movsd_xmmm64_xmm, &Merge<ulong>, &Store<ulong>, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovss_xmm_m32, null, &Load<Vex128, uint>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovsd_xmm_m64, null, &Load<Vex128, ulong>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovss_m32_xmm, null, &Store<uint>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovsd_m64_xmm, null, &Store<ulong>, legality: Legality.Avx);
        b.Add(Code.Movd_xmm_rm32, &FromGeneral<Sse, uint>, &Load<Sse, uint>, legality: Legality.Sse);
        b.Add(Code.Movq_xmm_rm64, &FromGeneral<Sse, ulong>, &Load<Sse, ulong>, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovd_xmm_rm32, &FromGeneral<Vex128, uint>, &Load<Vex128, uint>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovq_xmm_rm64, &FromGeneral<Vex128, ulong>, &Load<Vex128, ulong>, legality: Legality.Avx);
        b.Add(Code.Movd_rm32_xmm, &ToGeneral<uint>, &Store<uint>, legality: Legality.Sse);
        b.Add(Code.Movq_rm64_xmm, &ToGeneral<ulong>, &Store<ulong>, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovd_rm32_xmm, &ToGeneral<uint>, &Store<uint>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovq_rm64_xmm, &ToGeneral<ulong>, &Store<ulong>, legality: Legality.Avx);
        b.Add(Code.Movq_xmm_xmmm64, &CopyExtended<Sse>, &Load<Sse, ulong>, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovq_xmm_xmmm64, &CopyExtended<Vex128>, &Load<Vex128, ulong>, legality: Legality.Avx);
        b.Add(Code.Movq_xmmm64_xmm, &CopyExtended<Sse>, &Store<ulong>, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovq_xmmm64_xmm, &CopyExtended<Vex128>, &Store<ulong>, legality: Legality.Avx);
        b.Add(Code.Movlps_xmm_m64, null, &LoadLow, legality: Legality.Sse);
        b.Add(Code.Movlpd_xmm_m64, null, &LoadLow, legality: Legality.Sse);
        b.Add(Code.Movhps_xmm_m64, null, &LoadHigh, legality: Legality.Sse);
        b.Add(Code.Movhpd_xmm_m64, null, &LoadHigh, legality: Legality.Sse);
        b.Add(Code.Movlps_m64_xmm, null, &Store<ulong>, legality: Legality.Sse);
        b.Add(Code.Movlpd_m64_xmm, null, &Store<ulong>, legality: Legality.Sse);
        b.Add(Code.Movhps_m64_xmm, null, &StoreHigh, legality: Legality.Sse);
        b.Add(Code.Movhpd_m64_xmm, null, &StoreHigh, legality: Legality.Sse);
        b.Add(Code.VEX_Vmovlps_m64_xmm, null, &Store<ulong>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovlpd_m64_xmm, null, &Store<ulong>, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovhps_m64_xmm, null, &StoreHigh, legality: Legality.Avx);
        b.Add(Code.VEX_Vmovhpd_m64_xmm, null, &StoreHigh, legality: Legality.Avx);
    }
}
