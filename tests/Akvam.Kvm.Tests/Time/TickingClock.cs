using Akvam.Devices;

namespace Akvam.KvmTests.Time;

/// <summary>Time that moves on by as much with each look at it, whoever looks.</summary>
internal sealed class TickingClock(ulong nanoseconds) : IClock
{
    private ulong _now = 1ul << 40;

    public ulong NowNs => Interlocked.Add(ref _now, nanoseconds);
}
