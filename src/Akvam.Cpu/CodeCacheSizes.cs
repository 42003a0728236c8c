namespace Akvam.Cpu;

/// <summary>How much decoded and translated code a processor keeps. What is there when there is no more room goes in the order in which it was made, a region at a time.</summary>
public sealed record CodeCacheSizes
{
    /// <summary>Bytes of decoded blocks. A Linux boot decodes 25 MiB, most of which is executed once: with this much it takes no longer than with all of it, and 10 MiB less; with 8 MiB it takes a quarter longer.</summary>
    public int Decoded { get; init; } = 20 << 20;

    /// <summary>Bytes of host code.</summary>
    public int HostCode { get; init; } = 64 << 20;

    /// <summary>Bytes of what is known of host code: whose it is, and where it leads.</summary>
    public int Records { get; init; } = 16 << 20;

    /// <summary>Guest pages that host code may be made from.</summary>
    public int Pages { get; init; } = 16 << 10;

    /// <summary>Guest pages of which a copy is kept to compare them with.</summary>
    public int Copies { get; init; } = 4 << 10;

    /// <summary>Into how many regions decoded blocks and host code are divided: the more, the less goes at a time.</summary>
    public int Regions { get; init; } = 256;

    /// <summary>The defaults by a number, for tests: few regions, none of them smaller than what has to fit in.</summary>
    public static CodeCacheSizes DividedBy(int number)
    {
        const int regions = 4;
        var all = new CodeCacheSizes();
        return new CodeCacheSizes
        {
            Decoded = Math.Max(all.Decoded / number, regions * (8 << 10)),
            HostCode = Math.Max(all.HostCode / number, regions * (16 << 10)),
            Records = Math.Max(all.Records / number, regions * (8 << 10)),
            Pages = Math.Max(all.Pages / number, 8),
            Copies = Math.Max(all.Copies / number, 4),
            Regions = regions,
        };
    }
}
