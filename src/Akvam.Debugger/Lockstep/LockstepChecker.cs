using System.Globalization;

namespace Akvam.Debugger.Lockstep;

/// <summary>
/// Runs the same guest on the interpreter and on the translator, as two machines with the same time and the same devices, and looks for the first difference. A
/// difference is found between two stops; the run is then repeated from its start to find the block.
/// </summary>
/// <param name="machines">Makes a machine with the guest loaded; called again for each repetition.</param>
/// <param name="options">How long and how often to compare.</param>
public sealed class LockstepChecker(Func<CheckedEngine, ICheckedMachine> machines, LockstepOptions options)
{
    /// <summary>Runs to the guest's end or to a difference.</summary>
    public LockstepResult Run()
    {
        using Kvm kvm = Kvm.Open();
        uint[] msrs = kvm.GetMsrIndexList();
        using var pass = new LockstepPass(machines, options, msrs);
        pass.Run();
        var result = new LockstepResult
        {
            Instructions = pass.Instructions,
            Stops = pass.Stops,
            MemoryComparisons = pass.MemoryComparisons,
            End = pass.End,
            Differences = pass.Differences,
        };
        return pass.Differences.Count == 0 ? result : result with { Report = Locate(pass, msrs) };
    }

    private string Locate(LockstepPass pass, uint[] msrs)
    {
        int last = pass.Turns.Count - 1, first = last;
        ulong? page = pass.Differences[0].Address;
        if (page is not null && pass.LastGoodMemory + 1 < last)
        {
            // Memory is compared now and then only: first the turn is found.
            using LockstepPass turns = Repeat(pass, (pass.LastGoodMemory + 1, last), StepMode.Whole, page, msrs);
            last = turns.Differences.Count != 0 ? turns.Turns.Count - 1 : last;
            first = turns.Differences.Count != 0 ? LastStop(pass, pass.LastGoodMemory, last) + 1 : pass.LastGoodMemory + 1;
        }

        foreach (StepMode mode in (StepMode[])[StepMode.Blocks, StepMode.Free])
        {
            using LockstepPass steps = Repeat(pass, (first, last), mode, page, msrs);
            if (steps.Report is { } report)
            {
                return report;
            }
        }

        ulong from = first == 0 ? 0 : pass.Turns[first - 1].End;
        return string.Create(CultureInfo.InvariantCulture, $"vCPU {pass.DifferentVcpu} differs between its instructions {from:N0} and {pass.Turns[last].End:N0}, but not when the run is repeated in smaller steps.\n")
            + LockstepPass.DescribeDifferences(pass.Differences);
    }

    /// <summary>The page is compared only where a turn ended without an exit.</summary>
    private static int LastStop(LockstepPass pass, int good, int last)
    {
        int stop = last - 1;
        while (stop > good && pass.Turns[stop].IsExit)
        {
            stop--;
        }

        return stop;
    }

    private LockstepPass Repeat(LockstepPass pass, (int First, int Last) window, StepMode mode, ulong? page, uint[] msrs)
    {
        var repeated = new LockstepPass(machines, options, msrs, [.. pass.Turns]) { Window = window, Mode = mode, WatchedPage = page };
        repeated.Run();
        return repeated;
    }
}
