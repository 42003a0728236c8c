namespace Akvam.Cli.Bench;

/// <summary>A line of the summary: phases that are judged together.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Phases">Its phases; the line has their geometric means.</param>
/// <param name="Goal">How many times faster (or smaller) than TCG it has to be, or null.</param>
/// <param name="Subject">The engine that is judged.</param>
internal sealed record BenchWork(string Name, string[] Phases, double? Goal, string Subject = "translator")
{
    /// <summary>All of them, in the order of the report.</summary>
    public static IReadOnlyList<BenchWork> All { get; } =
    [
        new("int: sieve, crc, hash, sort", ["int.sieve", "int.crc", "int.hash", "int.sort"], 1.5),
        new("mem: chase, copy, sum", ["mem.chase16k", "mem.chase64m", "mem.copy", "mem.repmovs", "mem.sum"], 1.3),
        new("mem: page-alias copy", ["mem.copyalias"], 4),
        new("fp: nbody, matmul", ["fp.nbody", "fp.matmul"], 12),
        new("call: fib, indirect, vm", ["call.fib27", "call.indirect", "call.vm"], 3),
        new("sys: syscall", ["sys.syscall"], 2),
        new("sys: int 80h", ["sys.int80"], 2),
        new("mmu: CR3", ["mmu.cr3"], 2),
        new("mmu: CR3 and 16 pages", ["mmu.cr3touch16"], 2),
        new("mmu: invlpg", ["mmu.invlpg"], 2),
        new("mmu: page fault", ["mmu.fault"], 2),
        new("io: out to a port", ["io.out80"], 1),
        new("io: in from the UART", ["io.inlsr"], 1),
        new("smc: patch, jit, share, self", ["smc.patch", "smc.jit", "smc.share", "smc.self"], 5),
        new("smi: there and back", ["smi.apm"], null),
        .. Boot("Linux boot to the marker", LinuxRun.Guest),
        .. Boot("Debian boot to the marker", LinuxRun.StandardGuest),
    ];

    private static BenchWork[] Boot(string name, string guest) =>
    [
        new(name, [LinuxRun.BootPhase(guest)], 2),
        new("the same under QEMU on Akvam", [LinuxRun.BootPhase(guest)], 1.5, "exec"),
        new("memory for it beyond the guest's", [LinuxRun.MemoryPhase(guest)], 1),
    ];

    /// <summary>The geometric mean of the best rounds of an engine, or null where it lacks a phase.</summary>
    public double? Best(BenchReport report, string engine)
    {
        double sum = 0;
        foreach (string phase in Phases)
        {
            if (report.Best(phase, engine) is not { } best)
            {
                return null;
            }

            sum += Math.Log(best);
        }

        return Math.Exp(sum / Phases.Length);
    }
}
