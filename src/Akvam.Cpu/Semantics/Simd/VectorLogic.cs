using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Bitwise logic, and the few integer operations that string functions live on, without a stub. [APM4 PXOR] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class VectorLogic
{
    private interface IBinary
    {
        static abstract Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b);

        static abstract Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b);
    }

    private readonly struct And : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => a & b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => a & b;
    }

    private readonly struct AndNot : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => ~a & b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => ~a & b;
    }

    private readonly struct Or : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => a | b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => a | b;
    }

    private readonly struct Xor : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => a ^ b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => a ^ b;
    }

    private readonly struct EqualBytes : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a, b);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => Vector256.Equals(a, b);
    }

    private readonly struct EqualWords : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a.AsUInt16(), b.AsUInt16()).AsByte();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => Vector256.Equals(a.AsUInt16(), b.AsUInt16()).AsByte();
    }

    private readonly struct EqualDwords : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a.AsUInt32(), b.AsUInt32()).AsByte();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => Vector256.Equals(a.AsUInt32(), b.AsUInt32()).AsByte();
    }

    private readonly struct AddDwords : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => (a.AsUInt32() + b.AsUInt32()).AsByte();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => (a.AsUInt32() + b.AsUInt32()).AsByte();
    }

    private readonly struct AddQwords : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => (a.AsUInt64() + b.AsUInt64()).AsByte();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => (a.AsUInt64() + b.AsUInt64()).AsByte();
    }

    private readonly struct SubBytes : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => a - b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => a - b;
    }

    private readonly struct MinBytes : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b) => Vector128.Min(a, b);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<byte> Do(Vector256<byte> a, Vector256<byte> b) => Vector256.Min(a, b);
    }

    private static Flow SseRegister<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        byte* target = VectorForm.Register(s, i->R0);
        VectorForm.Sse.Set(target, TOp.Do(*(Vector128<byte>*)target, *(Vector128<byte>*)VectorForm.Register(s, i->R1)));
        return Flow.Next;
    }

    private static Flow SseMemory<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        if (!VectorMemory.LoadAligned(s, i, out Vector128<byte> b))
        {
            return Flow.Abort;
        }

        byte* target = VectorForm.Register(s, i->R0);
        VectorForm.Sse.Set(target, TOp.Do(*(Vector128<byte>*)target, b));
        return Flow.Next;
    }

    private static Flow Vex128Register<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        Vector128<byte> result = TOp.Do(*(Vector128<byte>*)VectorForm.Register(s, i->R1), *(Vector128<byte>*)VectorForm.Register(s, i->R2));
        VectorForm.Vex128.Set(VectorForm.Register(s, i->R0), result);
        return Flow.Next;
    }

    private static Flow Vex128Memory<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        if (!Mem.Load(s, i, out Vector128<byte> b))
        {
            return Flow.Abort;
        }

        VectorForm.Vex128.Set(VectorForm.Register(s, i->R0), TOp.Do(*(Vector128<byte>*)VectorForm.Register(s, i->R1), b));
        return Flow.Next;
    }

    private static Flow Vex256Register<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        Vector256<byte> result = TOp.Do(*(Vector256<byte>*)VectorForm.Register(s, i->R1), *(Vector256<byte>*)VectorForm.Register(s, i->R2));
        VectorForm.Vex256.Set(VectorForm.Register(s, i->R0), result);
        return Flow.Next;
    }

    private static Flow Vex256Memory<TOp>(CpuState* s, Insn* i)
        where TOp : IBinary
    {
        if (!Mem.Load(s, i, out Vector256<byte> b))
        {
            return Flow.Abort;
        }

        VectorForm.Vex256.Set(VectorForm.Register(s, i->R0), TOp.Do(*(Vector256<byte>*)VectorForm.Register(s, i->R1), b));
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        Add<And>(b, Code.Andps_xmm_xmmm128, Code.VEX_Vandps_xmm_xmm_xmmm128, Code.VEX_Vandps_ymm_ymm_ymmm256);
        Add<And>(b, Code.Andpd_xmm_xmmm128, Code.VEX_Vandpd_xmm_xmm_xmmm128, Code.VEX_Vandpd_ymm_ymm_ymmm256);
        Add<And>(b, Code.Pand_xmm_xmmm128, Code.VEX_Vpand_xmm_xmm_xmmm128, Code.VEX_Vpand_ymm_ymm_ymmm256);
        Add<AndNot>(b, Code.Andnps_xmm_xmmm128, Code.VEX_Vandnps_xmm_xmm_xmmm128, Code.VEX_Vandnps_ymm_ymm_ymmm256);
        Add<AndNot>(b, Code.Andnpd_xmm_xmmm128, Code.VEX_Vandnpd_xmm_xmm_xmmm128, Code.VEX_Vandnpd_ymm_ymm_ymmm256);
        Add<AndNot>(b, Code.Pandn_xmm_xmmm128, Code.VEX_Vpandn_xmm_xmm_xmmm128, Code.VEX_Vpandn_ymm_ymm_ymmm256);
        Add<Or>(b, Code.Orps_xmm_xmmm128, Code.VEX_Vorps_xmm_xmm_xmmm128, Code.VEX_Vorps_ymm_ymm_ymmm256);
        Add<Or>(b, Code.Orpd_xmm_xmmm128, Code.VEX_Vorpd_xmm_xmm_xmmm128, Code.VEX_Vorpd_ymm_ymm_ymmm256);
        Add<Or>(b, Code.Por_xmm_xmmm128, Code.VEX_Vpor_xmm_xmm_xmmm128, Code.VEX_Vpor_ymm_ymm_ymmm256);
        Add<Xor>(b, Code.Xorps_xmm_xmmm128, Code.VEX_Vxorps_xmm_xmm_xmmm128, Code.VEX_Vxorps_ymm_ymm_ymmm256);
        Add<Xor>(b, Code.Xorpd_xmm_xmmm128, Code.VEX_Vxorpd_xmm_xmm_xmmm128, Code.VEX_Vxorpd_ymm_ymm_ymmm256);
        Add<Xor>(b, Code.Pxor_xmm_xmmm128, Code.VEX_Vpxor_xmm_xmm_xmmm128, Code.VEX_Vpxor_ymm_ymm_ymmm256);
        Add<EqualBytes>(b, Code.Pcmpeqb_xmm_xmmm128, Code.VEX_Vpcmpeqb_xmm_xmm_xmmm128, Code.VEX_Vpcmpeqb_ymm_ymm_ymmm256);
        Add<EqualWords>(b, Code.Pcmpeqw_xmm_xmmm128, Code.VEX_Vpcmpeqw_xmm_xmm_xmmm128, Code.VEX_Vpcmpeqw_ymm_ymm_ymmm256);
        Add<EqualDwords>(b, Code.Pcmpeqd_xmm_xmmm128, Code.VEX_Vpcmpeqd_xmm_xmm_xmmm128, Code.VEX_Vpcmpeqd_ymm_ymm_ymmm256);
        Add<AddDwords>(b, Code.Paddd_xmm_xmmm128, Code.VEX_Vpaddd_xmm_xmm_xmmm128, Code.VEX_Vpaddd_ymm_ymm_ymmm256);
        Add<AddQwords>(b, Code.Paddq_xmm_xmmm128, Code.VEX_Vpaddq_xmm_xmm_xmmm128, Code.VEX_Vpaddq_ymm_ymm_ymmm256);
        Add<SubBytes>(b, Code.Psubb_xmm_xmmm128, Code.VEX_Vpsubb_xmm_xmm_xmmm128, Code.VEX_Vpsubb_ymm_ymm_ymmm256);
        Add<MinBytes>(b, Code.Pminub_xmm_xmmm128, Code.VEX_Vpminub_xmm_xmm_xmmm128, Code.VEX_Vpminub_ymm_ymm_ymmm256);
    }

    private static void Add<TOp>(IsaBuilder b, Code sse, Code vex128, Code vex256)
        where TOp : IBinary
    {
        b.Add(sse, &SseRegister<TOp>, &SseMemory<TOp>, legality: Legality.Sse);
        b.Add(vex128, &Vex128Register<TOp>, &Vex128Memory<TOp>, legality: Legality.Avx);
        b.Add(vex256, &Vex256Register<TOp>, &Vex256Memory<TOp>, legality: Legality.Avx);
    }
}
