using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>A TSC of two ticks per nanosecond plus an offset.</summary>
internal sealed class ManualTsc(IClock clock) : ITscSource
{
    public ulong Offset { get; set; }

    public ulong ReadTsc() => (clock.NowNs * 2) + Offset;

    public ulong DeadlineToNs(ulong tsc) => (tsc - Offset + 1) / 2;
}
