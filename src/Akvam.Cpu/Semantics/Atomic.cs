using System.Runtime.CompilerServices;

namespace Akvam.Cpu.Semantics;

/// <summary>LOCK on host memory. Unaligned operands within a page are atomic too: the host's own LOCK is. [APM2 7.3.2]</summary>
/// <remarks>Valid for pointers that <see cref="Memory.Mem.BeginModify{T}"/> returned.</remarks>
internal static unsafe class Atomic
{
    /// <summary>Stores <paramref name="value"/> if the operand still is <paramref name="old"/>; true when it did.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool CompareExchange<T>(T* p, T old, T value)
        where T : unmanaged
    {
        if (sizeof(T) == 1)
        {
            byte o = *(byte*)&old;
            return Interlocked.CompareExchange(ref *(byte*)p, *(byte*)&value, o) == o;
        }

        if (sizeof(T) == 2)
        {
            ushort o = *(ushort*)&old;
            return Interlocked.CompareExchange(ref *(ushort*)p, *(ushort*)&value, o) == o;
        }

        if (sizeof(T) == 4)
        {
            uint o = *(uint*)&old;
            return Interlocked.CompareExchange(ref *(uint*)p, *(uint*)&value, o) == o;
        }

        ulong o8 = *(ulong*)&old;
        return Interlocked.CompareExchange(ref *(ulong*)p, *(ulong*)&value, o8) == o8;
    }
}
