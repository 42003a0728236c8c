namespace Akvam.Devices;

/// <summary>The only time a device knows: monotonic nanoseconds since an origin the owner chooses.</summary>
/// <remarks>Called from any thread. A replay supplies a recorded clock here.</remarks>
public interface IClock
{
    /// <summary>Nanoseconds since the origin; never goes backwards.</summary>
    ulong NowNs { get; }
}
