namespace Akvam.Cli.Bench;

/// <summary>All samples of a benchmark, and the figures drawn from them.</summary>
internal sealed class BenchReport
{
    private readonly List<string> _phases = [];
    private readonly Dictionary<(string Phase, string Engine), SortedDictionary<int, double>> _samples = [];
    private readonly Dictionary<(string Phase, long Count), SortedDictionary<string, string>> _sums = [];
    private readonly List<string> _notes = [];
    private readonly List<string> _failures = [];

    /// <summary>Phases in the order in which they first ended.</summary>
    public IReadOnlyList<string> Phases => _phases;

    /// <summary>Things worth knowing that are no failures.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Runs that failed and checksums that differ.</summary>
    public IReadOnlyList<string> Failures => _failures;

    private static bool IsOfBoot(string phase) => LinuxRun.Guests.Any(guest => phase == LinuxRun.BootPhase(guest) || phase == LinuxRun.MemoryPhase(guest));

    /// <summary>The unit of a phase's figures.</summary>
    public static string Unit(string phase) =>
        IsOfBoot(phase) ? "boot" : Instructions(phase) is null ? "operation" : "instruction";

    /// <summary>Adds one run.</summary>
    public void Add(string engine, string guest, int round, AkbRecorder run, string? failure)
    {
        foreach (PhaseResult phase in run.Phases)
        {
            AddPhase(engine, round, phase);
        }

        foreach (string note in run.Notes)
        {
            Note($"{engine}: {guest}: {note}");
        }

        if (failure is not null)
        {
            Fail($"{engine}: {guest}: {failure}");
        }
    }

    /// <summary>Adds a note once.</summary>
    public void Note(string text)
    {
        if (!_notes.Contains(text))
        {
            _notes.Add(text);
        }
    }

    /// <summary>Nanoseconds per unit of each round; empty where the engine did not run the phase.</summary>
    public IReadOnlyCollection<double> Samples(string phase, string engine) => _samples.TryGetValue((phase, engine), out var rounds) ? rounds.Values : [];

    /// <summary>The lowest of the rounds, which other load on the machine disturbed least, or null: nanoseconds per unit, or bytes.</summary>
    public double? Best(string phase, string engine) => Samples(phase, engine) is { Count: > 0 } samples ? samples.Min() : null;

    /// <summary>Adds a figure of a phase that the guest does not report itself.</summary>
    public void AddSample(string engine, string phase, int round, double value) => RoundsOf(phase, engine)[round] = value;

    /// <summary>Adds a failure.</summary>
    public void Fail(string text) => _failures.Add(text);

    /// <summary>Guest instructions in one operation of the phases whose loops are written by hand; see loops.S.</summary>
    private static int? Instructions(string phase) => phase switch
    {
        "loop.crcst" => 16384 * 10,
        "loop.alu" => 16384 * 11,
        "loop.chase" => 16384 * 3,
        "loop.store" => 16384 * 4,
        "loop.fpdot" => 2048 * 8,
        _ => null,
    };

    private void AddPhase(string engine, int round, PhaseResult phase)
    {
        SortedDictionary<int, double> rounds = RoundsOf(phase.Phase, engine);
        CompareSum(engine, phase);
        if (phase.Time is not { } time)
        {
            Note($"{engine}: {phase.Phase}: a round is missing: its lines came too close together, or too late, for its CPU time to be told (a larger --scale helps)");
            return;
        }

        rounds[round] = time.TotalNanoseconds / phase.Count / (Instructions(phase.Phase) ?? 1);
    }

    private SortedDictionary<int, double> RoundsOf(string phase, string engine)
    {
        if (!_phases.Contains(phase))
        {
            _phases.Add(phase);
        }

        if (!_samples.TryGetValue((phase, engine), out SortedDictionary<int, double>? rounds))
        {
            _samples[(phase, engine)] = rounds = [];
        }

        return rounds;
    }

    private void CompareSum(string engine, PhaseResult phase)
    {
        if (!_sums.TryGetValue((phase.Phase, phase.Count), out SortedDictionary<string, string>? sums))
        {
            _sums[(phase.Phase, phase.Count)] = sums = new(StringComparer.Ordinal);
        }

        foreach ((string other, string sum) in sums)
        {
            if (sum != phase.Sum)
            {
                _failures.Add($"{phase.Phase} n={phase.Count}: checksum {phase.Sum} on {engine}, {sum} on {other}");
            }
        }

        sums.TryAdd(engine, phase.Sum);
    }
}
