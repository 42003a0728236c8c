using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <summary>
/// The time of one VM. Everything that a guest or a device can see of time comes from the one <see cref="IClock"/> behind it: TSC, kvmclock and timers
/// cannot drift apart, and a replay can put a recorded clock there.
/// </summary>
internal sealed class VmClock
{
    /// <summary>Frequency of a guest's TSC unless its client sets another: a nanosecond per tick.</summary>
    public const uint DefaultTscKhz = 1_000_000;

    private readonly Lock _gate = new();
    private readonly TimeProvider _wallClock;
    private ulong _referenceNs;
    private long _offset;

    public VmClock(IClock source, TimeProvider wallClock)
    {
        Source = source;
        _wallClock = wallClock;
        OriginNs = _referenceNs = source.NowNs;
        _offset = -(long)OriginNs;
    }

    public IClock Source { get; }

    /// <summary>When the VM was made, in the time of <see cref="Source"/>: the TSCs' zero.</summary>
    public ulong OriginNs { get; }

    /// <summary>kvmclock: nanoseconds since the VM was made, or what KVM_SET_CLOCK made of it.</summary>
    public ulong NowNs => ToKvmClock(Source.NowNs);

    private ulong WallNs => (ulong)(_wallClock.GetUtcNow().Ticks - DateTimeOffset.UnixEpoch.Ticks) * 100;

    public ulong ToKvmClock(ulong sourceNs) => sourceNs + (ulong)Volatile.Read(ref _offset);

    /// <summary>Wall-clock time at which kvmclock was 0, nanoseconds since 1970.</summary>
    public ulong BootWallNs => WallNs - NowNs;

    /// <summary>The moment at which the clock was last set, as a TSC of <paramref name="khz"/> and as kvmclock: the same pair for every vCPU.</summary>
    public (ulong Tsc, ulong SystemNs) Reference(uint khz)
    {
        lock (_gate)
        {
            return (ToTicks(_referenceNs - OriginNs, khz), ToKvmClock(_referenceNs));
        }
    }

    /// <summary>[KVM 4.29] The host's TSC is the VM's source of time, which KVM_VCPU_TSC_OFFSET counts from as well; it is not what the client gets from RDTSC.</summary>
    public kvm_clock_data Get()
    {
        ulong now = Source.NowNs;
        return new kvm_clock_data
        {
            clock = ToKvmClock(now),
            realtime = WallNs,
            host_tsc = ToTicks(now, DefaultTscKhz),
            flags = KvmState.KVM_CLOCK_TSC_STABLE | KvmState.KVM_CLOCK_REALTIME | KvmState.KVM_CLOCK_HOST_TSC,
        };
    }

    /// <summary>[KVM 4.30] With KVM_CLOCK_REALTIME the time that passed since the reading is added, so that migration does not stop the clock.</summary>
    /// <exception cref="KvmException">EINVAL: unknown flags.</exception>
    public void Set(in kvm_clock_data data)
    {
        if ((data.flags & ~(KvmState.KVM_CLOCK_TSC_STABLE | KvmState.KVM_CLOCK_REALTIME | KvmState.KVM_CLOCK_HOST_TSC)) != 0)
        {
            throw new KvmException(Errno.EINVAL, "unknown clock flags");
        }

        lock (_gate)
        {
            ulong wall = WallNs;
            bool add = (data.flags & KvmState.KVM_CLOCK_REALTIME) != 0 && wall > data.realtime;
            _referenceNs = Source.NowNs;
            Volatile.Write(ref _offset, (long)(data.clock + (add ? wall - data.realtime : 0) - _referenceNs));
        }
    }

    /// <summary>Ticks of a counter of <paramref name="khz"/> after <paramref name="ns"/> nanoseconds, rounded down.</summary>
    public static ulong ToTicks(ulong ns, uint khz)
    {
        if (khz == DefaultTscKhz)
        {
            return ns;
        }

        ulong high = Math.BigMul(ns, khz, out ulong low);
        return (ulong)(new UInt128(high, low) / 1_000_000);
    }

    /// <summary>Nanoseconds until a counter of <paramref name="khz"/> has made <paramref name="ticks"/>, rounded up.</summary>
    public static ulong ToNs(ulong ticks, uint khz)
    {
        if (khz == DefaultTscKhz)
        {
            return ticks;
        }

        UInt128 ns = ((UInt128)ticks * 1_000_000 + khz - 1) / khz;
        return ns > ulong.MaxValue ? ulong.MaxValue : (ulong)ns;
    }
}
