namespace Akvam;

/// <summary>The same numbers in every run: SplitMix64, whose state is a counter. [Steele, Lea, Flood 2014, Fast Splittable Pseudorandom Number Generators]</summary>
public sealed class SeededRandomSource(ulong seed) : IRandomSource
{
    private const ulong Gamma = 0x9E37_79B9_7F4A_7C15;

    private ulong _state = seed;

    public ulong Next()
    {
        ulong z = Interlocked.Add(ref _state, Gamma);
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }
}
