using Akvam.Abi;

namespace Akvam;

/// <summary>The arithmetic of the paravirtual clock: how a guest turns TSC ticks into nanoseconds. [KVM msr.rst MSR_KVM_SYSTEM_TIME_NEW]</summary>
internal static class PvClock
{
    /// <summary>
    /// Multiplier and shift for a counter of <paramref name="khz"/>: nanoseconds are <c>((ticks &lt;&lt; shift) * mul) >> 32</c>, with the multiplier as large as
    /// its 32 bits allow.
    /// </summary>
    public static (uint Multiplier, sbyte Shift) Scale(uint khz)
    {
        int shift = 0;
        UInt128 hz = (UInt128)khz * 1000;
        UInt128 nanosecondsPerTick32 = ((UInt128)1_000_000_000 << 32) / hz;
        while (nanosecondsPerTick32 > uint.MaxValue)
        {
            shift++;
            nanosecondsPerTick32 = ((UInt128)1_000_000_000 << (32 - shift)) / hz;
        }

        while (nanosecondsPerTick32 <= uint.MaxValue / 2)
        {
            shift--;
            nanosecondsPerTick32 = ((UInt128)1_000_000_000 << (32 - shift)) / hz;
        }

        return ((uint)nanosecondsPerTick32, (sbyte)shift);
    }

    public static pvclock_vcpu_time_info Info(uint version, ulong tsc, ulong systemNs, uint khz, bool stable)
    {
        (uint multiplier, sbyte shift) = Scale(khz);
        return new pvclock_vcpu_time_info
        {
            version = version,
            tsc_timestamp = tsc,
            system_time = systemNs,
            tsc_to_system_mul = multiplier,
            tsc_shift = shift,
            flags = stable ? KvmPara.PVCLOCK_TSC_STABLE_BIT : (byte)0,
        };
    }
}
