using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Memory operands that must be aligned to their size.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class VectorMemory
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool LoadAligned<T>(CpuState* s, Insn* i, out T value)
        where T : unmanaged
    {
        if (AlignedAddress<T>(s, i, AccessKind.Read, out ulong linear))
        {
            return Mem.LoadLinear(s, linear, out value);
        }

        value = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow StoreAligned<T>(CpuState* s, Insn* i, T value)
        where T : unmanaged => AlignedAddress<T>(s, i, AccessKind.Write, out ulong linear) ? Mem.StoreLinear(s, linear, value) : Flow.Abort;

    /// <summary>The linear address is what has to be aligned. [SDM3 6.15 #GP] [APM2 8.2.14]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AlignedAddress<T>(CpuState* s, Insn* i, AccessKind kind, out ulong linear)
        where T : unmanaged
    {
        linear = Mem.RawEa(s, i);
        if ((i->Flags & InsnFlags.Flat) == 0 && !SegmentCheck.Linear(s, i, sizeof(T), kind, ref linear))
        {
            return false;
        }

        return (linear & ((ulong)sizeof(T) - 1)) == 0 || Misaligned(s);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Misaligned(CpuState* s)
    {
        Fault.Gp(s, 0);
        return false;
    }
}
