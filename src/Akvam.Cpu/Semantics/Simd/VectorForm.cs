using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>How an encoding writes a vector register: what happens to the part that the result does not fill. [APM4 1.4.3]</summary>
/// <remarks>Valid for register numbers 0 to 15, which the decoder gives.</remarks>
internal static unsafe class VectorForm
{
    internal interface IForm<T>
        where T : unmanaged
    {
        static abstract void Set(byte* register, T value);
    }

    /// <summary>Legacy SSE: the upper half stays.</summary>
    internal readonly struct Sse : IForm<Vector128<byte>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Set(byte* register, Vector128<byte> value) => *(Vector128<byte>*)register = value;
    }

    /// <summary>VEX.128: the upper half is cleared.</summary>
    internal readonly struct Vex128 : IForm<Vector128<byte>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Set(byte* register, Vector128<byte> value)
        {
            ((Vector128<byte>*)register)[0] = value;
            ((Vector128<byte>*)register)[1] = default;
        }
    }

    internal readonly struct Vex256 : IForm<Vector256<byte>>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Set(byte* register, Vector256<byte> value) => *(Vector256<byte>*)register = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Register(CpuState* s, byte number) => s->Vector + (number * 32);
}
