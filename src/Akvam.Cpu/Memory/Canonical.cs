using System.Runtime.CompilerServices;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Canonical addresses: bits 63 down to 47 (56 with 5-level paging) are all equal. [APM2 5.3.1]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class Canonical
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(CpuState* s, ulong address) => Is(address, (s->Cr4 & Cr4.LA57) != 0);

    /// <summary>
    /// Canonical for the widest paging mode the guest could switch to, whatever CR4.LA57 is now: what bases and MSRs are checked for. [SDM3 4.5.2]
    /// </summary>
    public static bool IsForAnyMode(CpuState* s, ulong address) => Is(address, Processor.Of(s).Cpuid.Allows(Feature.La57));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(ulong address, bool la57)
    {
        int shift = la57 ? 7 : 16;
        return (ulong)(((long)address << shift) >> shift) == address;
    }
}
