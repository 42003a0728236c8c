using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>
/// VGATHER and VPGATHER: element by element; the mask of each is cleared when it has been loaded, so a fault leaves an instruction that can be restarted.
/// [APM4 VPGATHERDD] [SDM2 VPGATHERDD]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Gather
{
    private interface ICount
    {
        static abstract int Elements { get; }
    }

    private readonly struct Two : ICount
    {
        public static int Elements => 2;
    }

    private readonly struct Four : ICount
    {
        public static int Elements => 4;
    }

    private readonly struct Eight : ICount
    {
        public static int Elements => 8;
    }

    private static Flow Do<TIndex, T, TCount>(CpuState* s, Insn* i)
        where TIndex : unmanaged, IBinaryInteger<TIndex>, ISignedNumber<TIndex>
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
        where TCount : ICount
    {
        // Target, index and mask are three different registers. [SDM2 2.4.12]
        if (i->R0 == i->R2 || i->R0 == i->Index || i->R2 == i->Index)
        {
            return Fault.Ud(s);
        }

        T* target = (T*)VectorForm.Register(s, i->R0), mask = (T*)VectorForm.Register(s, i->R2);
        TIndex* index = (TIndex*)VectorForm.Register(s, i->Index);
        ulong origin = *(ulong*)((byte*)s + i->Base) + (ulong)(long)i->Disp;
        int count = TCount.Elements;
        for (int n = 0; n < count; n++)
        {
            if (!T.IsNegative(mask[n]))
            {
                continue;
            }

            ulong ea = origin + (ulong)(long.CreateTruncating(index[n]) << i->Scale);
            if (!MaskedMoves.Element(s, i, ea, sizeof(T), AccessKind.Read, out ulong linear) || !Mem.LoadLinear(s, linear, out T value))
            {
                return Flow.Abort;
            }

            target[n] = value;
            mask[n] = T.Zero;
        }

        // The mask register ends up all zero, and so does the target beyond its elements.
        Unsafe.InitBlock(mask, 0, 32);
        Unsafe.InitBlock(target + count, 0, (uint)(32 - (count * sizeof(T))));
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        Add<int>(b, Code.VEX_Vpgatherdd_xmm_vm32x_xmm, Code.VEX_Vpgatherqd_xmm_vm64x_xmm);
        Add<int>(b, Code.VEX_Vgatherdps_xmm_vm32x_xmm, Code.VEX_Vgatherqps_xmm_vm64x_xmm);
        Add64(b, Code.VEX_Vpgatherdq_xmm_vm32x_xmm, Code.VEX_Vpgatherqq_xmm_vm64x_xmm);
        Add64(b, Code.VEX_Vgatherdpd_xmm_vm32x_xmm, Code.VEX_Vgatherqpd_xmm_vm64x_xmm);
    }

    /// <summary>32-bit elements: as many as the wider of index and data vector holds; the 256-bit code follows the 128-bit one.</summary>
    private static void Add<T>(IsaBuilder b, Code index32, Code index64)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
    {
        b.Add(index32, null, &Do<int, T, Four>, legality: Legality.Avx);
        b.Add(index32 + 1, null, &Do<int, T, Eight>, legality: Legality.Avx);
        b.Add(index64, null, &Do<long, T, Two>, legality: Legality.Avx);
        b.Add(index64 + 1, null, &Do<long, T, Four>, legality: Legality.Avx);
    }

    private static void Add64(IsaBuilder b, Code index32, Code index64)
    {
        b.Add(index32, null, &Do<int, long, Two>, legality: Legality.Avx);
        b.Add(index32 + 1, null, &Do<int, long, Four>, legality: Legality.Avx);
        b.Add(index64, null, &Do<long, long, Two>, legality: Legality.Avx);
        b.Add(index64 + 1, null, &Do<long, long, Four>, legality: Legality.Avx);
    }
}
