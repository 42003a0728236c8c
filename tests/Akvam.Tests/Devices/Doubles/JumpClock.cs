using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>A clock that several threads read and a test moves.</summary>
internal sealed class JumpClock : IClock
{
    private ulong _now;

    public ulong NowNs
    {
        get => Volatile.Read(ref _now);
        set => Volatile.Write(ref _now, value);
    }
}
