namespace Akvam.Devices;

/// <summary>Something that counts at a constant rate, as a processor's invariant TSC does.</summary>
/// <remarks>Called from any thread. A replay supplies recorded counts here.</remarks>
public interface ICounter
{
    /// <summary>Its frequency, 2 MHz or more.</summary>
    uint Khz { get; }

    /// <summary>What it has counted to. A reading does not come before one that another thread has finished.</summary>
    ulong Read();
}
