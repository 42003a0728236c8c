using System.Runtime.CompilerServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>General-register operands by their byte offset into the register file.</summary>
/// <remarks>Valid because offsets come from the decoder, which produces none beyond the register file.</remarks>
public static unsafe class Operand
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Get<T>(CpuState* s, byte offset)
        where T : unmanaged => *(T*)((byte*)s + offset);

    /// <summary>Writes a register; a 32-bit write clears the upper half. [APM1 3.1.2]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set<T>(CpuState* s, byte offset, T value)
        where T : unmanaged
    {
        if (typeof(T) == typeof(uint))
        {
            *(ulong*)((byte*)s + offset) = Unsafe.As<T, uint>(ref value);
        }
        else
        {
            *(T*)((byte*)s + offset) = value;
        }
    }
}
