using Akvam.Devices;

namespace Akvam;

/// <summary>How the host's TSC becomes that of a vCPU, before its offset: scaled to its frequency, and from 0 on when the VM is made.</summary>
internal sealed class GuestTsc
{
    private readonly TickRatio _ratio;

    public GuestTsc(VmClock clock, uint khz)
    {
        Khz = khz;
        _ratio = new TickRatio(clock.HostTscKhz, khz);
        Origin = _ratio.Apply(clock.OriginTsc);
    }

    public uint Khz { get; }

    /// <summary>The host's TSC at which the VM was made, in ticks of this frequency.</summary>
    public ulong Origin { get; }

    public ulong At(ulong hostTsc) => _ratio.Apply(hostTsc) - Origin;

    /// <summary>Nanoseconds in which it makes so many ticks, rounded up; at most <see cref="ulong.MaxValue"/>.</summary>
    public ulong ToNs(ulong ticks)
    {
        UInt128 ns = ((UInt128)ticks * 1_000_000 + Khz - 1) / Khz;
        return ns > ulong.MaxValue ? ulong.MaxValue : (ulong)ns;
    }
}
