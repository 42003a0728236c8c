using System.Diagnostics;

namespace Akvam.Devices;

/// <summary>The host's monotonic clock, with zero where the instance was made.</summary>
public sealed class MonotonicClock : IClock
{
    private readonly long _origin = Stopwatch.GetTimestamp();

    public ulong NowNs
    {
        get
        {
            ulong ticks = (ulong)(Stopwatch.GetTimestamp() - _origin);
            return Stopwatch.Frequency == 1_000_000_000
                ? ticks
                : (ulong)((UInt128)ticks * 1_000_000_000 / (ulong)Stopwatch.Frequency);
        }
    }
}
