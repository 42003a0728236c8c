using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>A counter that stands still until a test moves it.</summary>
internal sealed class ManualCounter(uint khz) : ICounter
{
    public ulong Now { get; set; }

    public uint Khz => khz;

    public ulong Read() => Now;
}
