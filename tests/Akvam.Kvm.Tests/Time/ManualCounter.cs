using Akvam.Devices;

namespace Akvam.KvmTests.Time;

/// <summary>A host's TSC that stands still until a test moves it.</summary>
internal sealed class ManualCounter(uint khz) : ICounter
{
    public ulong Now { get; set; } = 1ul << 48;

    public uint Khz => khz;

    public ulong Read() => Now;
}
