using Akvam.Devices;

namespace Akvam.KvmTests.Time;

/// <summary>Time that stands still until a test moves it.</summary>
internal sealed class ManualClock : IClock
{
    public ulong NowNs { get; set; } = 1_000_000;
}
