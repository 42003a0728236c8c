using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <summary>
/// The time of one VM. Everything that a guest or a device can see of time comes from the one <see cref="IClock"/> behind it: TSC, kvmclock and timers
/// cannot drift apart, and a replay can put a recorded clock there.
/// </summary>
/// <remarks>
/// What it calls the host's TSC is the counter of a <see cref="CounterClock"/>, which by default is the one that programs of the host read with RDTSC; of any other clock it is the
/// nanoseconds.
/// </remarks>
internal sealed class VmClock
{
    private const uint NanosecondKhz = 1_000_000;

    private readonly Lock _gate = new();
    private readonly TimeProvider _wallClock;
    private readonly CounterClock? _counter;
    private ulong _referenceTsc;
    private long _offset;

    public VmClock(IClock source, TimeProvider wallClock)
    {
        Source = source;
        _counter = source as CounterClock;
        HostTscKhz = _counter?.Khz ?? NanosecondKhz;
        _wallClock = wallClock;
        OriginTsc = _referenceTsc = HostTsc;
        _offset = -(long)ToNs(OriginTsc);
    }

    public IClock Source { get; }

    /// <summary>The host's TSC now.</summary>
    public ulong HostTsc => _counter is { } counter ? counter.Ticks : Source.NowNs;

    /// <summary>Its frequency, and that of a guest's TSC unless its client sets another.</summary>
    public uint HostTscKhz { get; }

    /// <summary>When the VM was made, as the host's TSC: the zero of its own.</summary>
    public ulong OriginTsc { get; }

    /// <summary>kvmclock: nanoseconds since the VM was made, or what KVM_SET_CLOCK made of it.</summary>
    public ulong NowNs => ToKvmClock(Source.NowNs);

    private ulong WallNs => (ulong)(_wallClock.GetUtcNow().Ticks - DateTimeOffset.UnixEpoch.Ticks) * 100;

    /// <summary>The time of <see cref="Source"/> at a reading of <see cref="HostTsc"/>.</summary>
    public ulong ToNs(ulong hostTsc) => _counter is { } counter ? counter.ToNs(hostTsc) : hostTsc;

    public ulong ToKvmClock(ulong sourceNs) => sourceNs + (ulong)Volatile.Read(ref _offset);

    /// <summary>Wall-clock time at which kvmclock was 0, nanoseconds since 1970.</summary>
    public ulong BootWallNs => WallNs - NowNs;

    /// <summary>The moment at which the clock was last set, as the host's TSC and as kvmclock: the same pair for every vCPU.</summary>
    public (ulong HostTsc, ulong SystemNs) Reference()
    {
        lock (_gate)
        {
            return (_referenceTsc, ToKvmClock(ToNs(_referenceTsc)));
        }
    }

    /// <summary>[KVM 4.29] The host's TSC is the one that KVM_VCPU_TSC_OFFSET counts from as well.</summary>
    public kvm_clock_data Get()
    {
        ulong tsc = HostTsc;
        return new kvm_clock_data
        {
            clock = ToKvmClock(ToNs(tsc)),
            realtime = WallNs,
            host_tsc = tsc,
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
            _referenceTsc = HostTsc;
            Volatile.Write(ref _offset, (long)(data.clock + (add ? wall - data.realtime : 0) - ToNs(_referenceTsc)));
        }
    }
}
