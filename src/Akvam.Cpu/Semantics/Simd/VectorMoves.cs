using System.Runtime.Intrinsics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using static Akvam.Cpu.Semantics.Simd.VectorForm;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Moves of whole vectors: MOVAPS, MOVUPS, MOVDQA, MOVDQU, LDDQU, the non-temporal ones. The most frequent, so without a stub. [APM4 MOVAPS] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class VectorMoves
{
    private static Flow Copy<TForm, T>(CpuState* s, Insn* i)
        where TForm : IForm<T>
        where T : unmanaged
    {
        TForm.Set(VectorForm.Register(s, i->R0), *(T*)VectorForm.Register(s, i->R1));
        return Flow.Next;
    }

    private static Flow Load<TForm, T>(CpuState* s, Insn* i)
        where TForm : IForm<T>
        where T : unmanaged
    {
        if (!Mem.Load(s, i, out T value))
        {
            return Flow.Abort;
        }

        TForm.Set(VectorForm.Register(s, i->R0), value);
        return Flow.Next;
    }

    private static Flow LoadAligned<TForm, T>(CpuState* s, Insn* i)
        where TForm : IForm<T>
        where T : unmanaged
    {
        if (!VectorMemory.LoadAligned(s, i, out T value))
        {
            return Flow.Abort;
        }

        TForm.Set(VectorForm.Register(s, i->R0), value);
        return Flow.Next;
    }

    private static Flow Store<T>(CpuState* s, Insn* i)
        where T : unmanaged => Mem.Store(s, i, *(T*)VectorForm.Register(s, i->R1));

    private static Flow StoreAligned<T>(CpuState* s, Insn* i)
        where T : unmanaged => VectorMemory.StoreAligned(s, i, *(T*)VectorForm.Register(s, i->R1));

    internal static void Register(IsaBuilder b)
    {
        Unaligned(b, Code.Movups_xmm_xmmm128, Code.VEX_Vmovups_xmm_xmmm128, Code.VEX_Vmovups_ymm_ymmm256);
        Unaligned(b, Code.Movupd_xmm_xmmm128, Code.VEX_Vmovupd_xmm_xmmm128, Code.VEX_Vmovupd_ymm_ymmm256);
        Unaligned(b, Code.Movdqu_xmm_xmmm128, Code.VEX_Vmovdqu_xmm_xmmm128, Code.VEX_Vmovdqu_ymm_ymmm256);
        Unaligned(b, Code.Lddqu_xmm_m128, Code.VEX_Vlddqu_xmm_m128, Code.VEX_Vlddqu_ymm_m256);
        UnalignedStore(b, Code.Movups_xmmm128_xmm, Code.VEX_Vmovups_xmmm128_xmm, Code.VEX_Vmovups_ymmm256_ymm);
        UnalignedStore(b, Code.Movupd_xmmm128_xmm, Code.VEX_Vmovupd_xmmm128_xmm, Code.VEX_Vmovupd_ymmm256_ymm);
        UnalignedStore(b, Code.Movdqu_xmmm128_xmm, Code.VEX_Vmovdqu_xmmm128_xmm, Code.VEX_Vmovdqu_ymmm256_ymm);
        Aligned(b, Code.Movaps_xmm_xmmm128, Code.VEX_Vmovaps_xmm_xmmm128, Code.VEX_Vmovaps_ymm_ymmm256);
        Aligned(b, Code.Movapd_xmm_xmmm128, Code.VEX_Vmovapd_xmm_xmmm128, Code.VEX_Vmovapd_ymm_ymmm256);
        Aligned(b, Code.Movdqa_xmm_xmmm128, Code.VEX_Vmovdqa_xmm_xmmm128, Code.VEX_Vmovdqa_ymm_ymmm256);
        Aligned(b, Code.Movntdqa_xmm_m128, Code.VEX_Vmovntdqa_xmm_m128, Code.VEX_Vmovntdqa_ymm_m256);
        AlignedStore(b, Code.Movaps_xmmm128_xmm, Code.VEX_Vmovaps_xmmm128_xmm, Code.VEX_Vmovaps_ymmm256_ymm);
        AlignedStore(b, Code.Movapd_xmmm128_xmm, Code.VEX_Vmovapd_xmmm128_xmm, Code.VEX_Vmovapd_ymmm256_ymm);
        AlignedStore(b, Code.Movdqa_xmmm128_xmm, Code.VEX_Vmovdqa_xmmm128_xmm, Code.VEX_Vmovdqa_ymmm256_ymm);
        AlignedStore(b, Code.Movntps_m128_xmm, Code.VEX_Vmovntps_m128_xmm, Code.VEX_Vmovntps_m256_ymm);
        AlignedStore(b, Code.Movntpd_m128_xmm, Code.VEX_Vmovntpd_m128_xmm, Code.VEX_Vmovntpd_m256_ymm);
        AlignedStore(b, Code.Movntdq_m128_xmm, Code.VEX_Vmovntdq_m128_xmm, Code.VEX_Vmovntdq_m256_ymm);
    }

    private static void Unaligned(IsaBuilder b, Code sse, Code vex128, Code vex256)
    {
        b.Add(sse, &Copy<Sse, Vector128<byte>>, &Load<Sse, Vector128<byte>>, legality: Legality.Sse);
        b.Add(vex128, &Copy<Vex128, Vector128<byte>>, &Load<Vex128, Vector128<byte>>, legality: Legality.Avx);
        b.Add(vex256, &Copy<Vex256, Vector256<byte>>, &Load<Vex256, Vector256<byte>>, legality: Legality.Avx);
    }

    private static void UnalignedStore(IsaBuilder b, Code sse, Code vex128, Code vex256)
    {
        b.Add(sse, &Copy<Sse, Vector128<byte>>, &Store<Vector128<byte>>, legality: Legality.Sse);
        b.Add(vex128, &Copy<Vex128, Vector128<byte>>, &Store<Vector128<byte>>, legality: Legality.Avx);
        b.Add(vex256, &Copy<Vex256, Vector256<byte>>, &Store<Vector256<byte>>, legality: Legality.Avx);
    }

    private static void Aligned(IsaBuilder b, Code sse, Code vex128, Code vex256)
    {
        b.Add(sse, &Copy<Sse, Vector128<byte>>, &LoadAligned<Sse, Vector128<byte>>, legality: Legality.Sse);
        b.Add(vex128, &Copy<Vex128, Vector128<byte>>, &LoadAligned<Vex128, Vector128<byte>>, legality: Legality.Avx);
        b.Add(vex256, &Copy<Vex256, Vector256<byte>>, &LoadAligned<Vex256, Vector256<byte>>, legality: Legality.Avx);
    }

    private static void AlignedStore(IsaBuilder b, Code sse, Code vex128, Code vex256)
    {
        b.Add(sse, &Copy<Sse, Vector128<byte>>, &StoreAligned<Vector128<byte>>, legality: Legality.Sse);
        b.Add(vex128, &Copy<Vex128, Vector128<byte>>, &StoreAligned<Vector128<byte>>, legality: Legality.Avx);
        b.Add(vex256, &Copy<Vex256, Vector256<byte>>, &StoreAligned<Vector256<byte>>, legality: Legality.Avx);
    }
}
