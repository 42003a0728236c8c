namespace Akvam.Tests.Guests;

/// <summary>The checksums of the privileged benchmark guests, from what their loops add up.</summary>
internal static class ExpectedSums
{
    private const long Pages = 512;

    /// <param name="phase">The phase.</param>
    /// <param name="counts">The operations of each phase of the guest.</param>
    public static ulong Of(string phase, IReadOnlyDictionary<string, long> counts)
    {
        long n = counts[phase];
        return phase switch
        {
            "mmu.cr3" => 0,
            "mmu.cr3touch16" => (ulong)(Touched * (((n + 1) / 2) + (n / 2 * 3))),
            "mmu.invlpg" => (ulong)Range(n).Sum(i => Mapped(i % Pages, toggles: (i / Pages) + 1)),
            "mmu.fault" => (ulong)Range(n).Sum(i => Mapped(i % Pages, toggles: TogglesOf(i % Pages, counts["mmu.invlpg"])) + 1),
            "sys.syscall" or "sys.int80" or "smi.apm" or "io.out80" or "io.inlsr" => (ulong)n,
            "io.apicid" => 0,
            "io.repinsb512" => 1,
            "smc.patch" => (ulong)(n * (n - 1) / 2),
            "smc.jit" => (ulong)(8 * (n * (n - 1) / 2)),
            "smc.share" => (ulong)(7 * n),
            "smc.self" => (uint)(n * (n + 1) / 2),
            _ => throw new ArgumentOutOfRangeException(nameof(phase), phase, "no such phase"),
        };
    }

    /// <summary>The first words of the sixteen pages that the phase reads, in the first address space; the second holds three times as much.</summary>
    private static long Touched => Range(16).Sum(p => p * 7 % Pages);

    /// <summary>The first word of a page of the window after its mapping was switched between the two frames so often.</summary>
    private static long Mapped(long page, long toggles) => toggles % 2 == 0 ? page : page * 3;

    private static long TogglesOf(long page, long operations) => (operations - page + Pages - 1) / Pages;

    private static IEnumerable<long> Range(long count) => Enumerable.Range(0, checked((int)count)).Select(i => (long)i);
}
