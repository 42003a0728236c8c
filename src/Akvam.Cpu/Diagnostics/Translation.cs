namespace Akvam.Cpu.Diagnostics;

/// <summary>Guest code and the host code that was made of it. The spans are those of the moment.</summary>
public readonly ref struct Translation
{
    /// <summary>Linear address of the guest code, under which it was found first.</summary>
    public required ulong Linear { get; init; }

    /// <summary>16, 32 or 64.</summary>
    public required int Bitness { get; init; }

    public required ReadOnlySpan<byte> Guest { get; init; }

    /// <summary>Where the host code runs.</summary>
    public required nint HostAddress { get; init; }

    public required ReadOnlySpan<byte> Host { get; init; }
}
