namespace Akvam.Debugger.Lockstep;

/// <summary>
/// Flags that the manuals leave undefined: the engines may give them different values, since one computes them and the other is given them by the host. They
/// reach registers and memory as images of RFLAGS, where nothing tells which instruction set them.
/// </summary>
internal static class FlagsImage
{
    /// <summary>CF, PF, AF, ZF, SF, OF.</summary>
    public const ulong Status = 0x8D5;

    private const ulong AlwaysSet = 2, AlwaysClear = 0x8028, Highest = 0x3F_FFFF;

    /// <summary>Both numbers look like RFLAGS, and they differ in status flags only.</summary>
    public static bool Matches(ulong a, ulong b) => ((a ^ b) & ~Status) == 0 && (a & AlwaysSet) != 0 && (a & AlwaysClear) == 0 && a <= Highest;
}
