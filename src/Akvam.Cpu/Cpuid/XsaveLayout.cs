namespace Akvam.Cpu.Cpuid;

/// <summary>Components of the XSAVE area in standard format, in bytes. [APM3 E.3.10] [SDM1 13.4]</summary>
public static class XsaveLayout
{
    public const ulong X87 = 1, Sse = 2, Avx = 4, Pkru = 1 << 9;

    /// <summary>Legacy region and header: always there.</summary>
    public const int BaseSize = 512 + 64;

    public const int AvxOffset = 576, AvxSize = 256;

    /// <summary>Where Intel processors and QEMU's default layout have it; AMD's is lower, but a layout must not depend on the host.</summary>
    public const int PkruOffset = 2688, PkruSize = 8;

    /// <summary>Size of an area in standard format that holds <paramref name="components"/> (XCR0).</summary>
    public static uint StandardSize(ulong components) =>
        (components & Pkru) != 0 ? PkruOffset + PkruSize : (components & Avx) != 0 ? AvxOffset + AvxSize : (uint)BaseSize;

    /// <summary>Size of an area in compacted format that holds <paramref name="components"/> (XCR0 | XSS).</summary>
    public static uint CompactedSize(ulong components) =>
        (uint)(BaseSize + ((components & Avx) != 0 ? AvxSize : 0) + ((components & Pkru) != 0 ? PkruSize : 0));
}
