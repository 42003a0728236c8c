using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics.X87;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>VMASKMOVPS/PD, VPMASKMOVD/Q, MASKMOVDQU, MASKMOVQ: elements whose mask is clear are not accessed and do not fault. [APM4 VMASKMOVPS] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class MaskedMoves
{
    /// <summary>Linear address of an element that has the effective address of the memory operand plus an offset.</summary>
    internal static bool Element(CpuState* s, Insn* i, ulong ea, int size, AccessKind kind, out ulong linear)
    {
        linear = ea;
        return (i->Flags & InsnFlags.Flat) != 0 || SegmentCheck.Linear(s, i, size, kind, ref linear);
    }

    private static bool IsSet<T>(byte* mask, int n)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T> => T.IsNegative(((T*)mask)[n]);

    private static Flow Load128<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T> => Load<T>(s, i, 16);

    private static Flow Load256<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T> => Load<T>(s, i, 32);

    private static Flow Load<T>(CpuState* s, Insn* i, int bytes)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
    {
        byte* mask = VectorForm.Register(s, i->R1);
        T* loaded = stackalloc T[32 / sizeof(T)];
        Unsafe.InitBlock(loaded, 0, 32);
        ulong ea = Mem.RawEa(s, i);
        for (int n = 0; n < bytes / sizeof(T); n++)
        {
            if (IsSet<T>(mask, n)
                && (!Element(s, i, ea + (ulong)(n * sizeof(T)), sizeof(T), AccessKind.Read, out ulong linear) || !Mem.LoadLinear(s, linear, out loaded[n])))
            {
                return Flow.Abort;
            }
        }

        Unsafe.CopyBlock(VectorForm.Register(s, i->R0), loaded, 32);
        return Flow.Next;
    }

    private static Flow Store128<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T> => Store<T>(s, i, VectorForm.Register(s, i->R1), VectorForm.Register(s, i->R2), 16, Mem.RawEa(s, i));

    private static Flow Store256<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T> => Store<T>(s, i, VectorForm.Register(s, i->R1), VectorForm.Register(s, i->R2), 32, Mem.RawEa(s, i));

    private static Flow Store<T>(CpuState* s, Insn* i, byte* mask, byte* source, int bytes, ulong ea)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
    {
        Flow flow = Flow.Next;

        // All elements are known to be writable before the first is written.
        for (int pass = 0; pass < 2; pass++)
        {
            for (int n = 0; n < bytes / sizeof(T); n++)
            {
                if (!IsSet<T>(mask, n))
                {
                    continue;
                }

                if (!Element(s, i, ea + (ulong)(n * sizeof(T)), sizeof(T), AccessKind.Write, out ulong linear)
                    || (pass == 0 && !Mem.Probe(s, linear, sizeof(T), AccessKind.Write)))
                {
                    return Flow.Abort;
                }

                // End (a store hit decoded code) is kept; Abort has all its bits.
                flow |= pass == 1 ? Mem.StoreLinear(s, linear, ((T*)source)[n]) : Flow.Next;
            }
        }

        return flow;
    }

    /// <summary>MASKMOVDQU xmm, xmm to [rDI].</summary>
    private static Flow Bytes16(CpuState* s, Insn* i) =>
        Store<sbyte>(s, i, VectorForm.Register(s, i->R2), VectorForm.Register(s, i->R1), 16, s->Gpr[Akvam.Cpu.State.Register.Rdi]);

    private static Flow Bytes8(CpuState* s, Insn* i)
    {
        if (!X87State.CheckPending(s))
        {
            return Flow.Abort;
        }

        X87State.EnterMmx(s);
        byte* registers = s->Fx + X87State.RegistersAt;
        return Store<sbyte>(s, i, registers + (16 * i->R2), registers + (16 * i->R1), 8, s->Gpr[Akvam.Cpu.State.Register.Rdi]);
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Maskmovdqu_rDI_xmm_xmm, &Bytes16, legality: Legality.Sse);
        b.Add(Code.VEX_Vmaskmovdqu_rDI_xmm_xmm, &Bytes16, legality: Legality.Avx);
        b.Add(Code.Maskmovq_rDI_mm_mm, &Bytes8, legality: Legality.Mmx);
        Add<int>(b, Code.VEX_Vmaskmovps_xmm_xmm_m128, Code.VEX_Vmaskmovps_ymm_ymm_m256, Code.VEX_Vmaskmovps_m128_xmm_xmm, Code.VEX_Vmaskmovps_m256_ymm_ymm);
        Add<long>(b, Code.VEX_Vmaskmovpd_xmm_xmm_m128, Code.VEX_Vmaskmovpd_ymm_ymm_m256, Code.VEX_Vmaskmovpd_m128_xmm_xmm, Code.VEX_Vmaskmovpd_m256_ymm_ymm);
        Add<int>(b, Code.VEX_Vpmaskmovd_xmm_xmm_m128, Code.VEX_Vpmaskmovd_ymm_ymm_m256, Code.VEX_Vpmaskmovd_m128_xmm_xmm, Code.VEX_Vpmaskmovd_m256_ymm_ymm);
        Add<long>(b, Code.VEX_Vpmaskmovq_xmm_xmm_m128, Code.VEX_Vpmaskmovq_ymm_ymm_m256, Code.VEX_Vpmaskmovq_m128_xmm_xmm, Code.VEX_Vpmaskmovq_m256_ymm_ymm);
    }

    private static void Add<T>(IsaBuilder b, Code load128, Code load256, Code store128, Code store256)
        where T : unmanaged, IBinaryInteger<T>, ISignedNumber<T>
    {
        b.Add(load128, null, &Load128<T>, legality: Legality.Avx);
        b.Add(load256, null, &Load256<T>, legality: Legality.Avx);
        b.Add(store128, null, &Store128<T>, legality: Legality.Avx);
        b.Add(store256, null, &Store256<T>, legality: Legality.Avx);
    }
}
