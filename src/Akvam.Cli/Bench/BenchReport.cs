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

    /// <summary>The unit of a phase's figures.</summary>
    public static string Unit(string phase) => Instructions(phase) is null ? "operation" : "instruction";

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
            _failures.Add($"{engine}: {guest}: {failure}");
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

    /// <summary>The median of the rounds in nanoseconds per unit, or null.</summary>
    public double? Median(string phase, string engine) => MedianOf(Samples(phase, engine));

    /// <summary>The ratios of the rounds in which both engines ran, which a slow moment of the machine disturbs least, in order of size.</summary>
    public IReadOnlyList<double> Ratios(string phase, string engine, string other) =>
        _samples.TryGetValue((phase, engine), out var mine) && _samples.TryGetValue((phase, other), out var theirs)
            ? [.. mine.Where(s => theirs.TryGetValue(s.Key, out double t) && t > 0).Select(s => s.Value / theirs[s.Key]).Order()]
            : [];

    /// <summary>The middle one of some numbers, or the mean of the two in the middle.</summary>
    public static double? MedianOf(IReadOnlyCollection<double> numbers)
    {
        double[] sorted = [.. numbers.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length == 0 ? null
            : sorted.Length % 2 == 1 ? sorted[middle]
            : (sorted[middle - 1] + sorted[middle]) / 2;
    }

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
        if (!_phases.Contains(phase.Phase))
        {
            _phases.Add(phase.Phase);
        }

        CompareSum(engine, phase);
        if (phase.Time is not { } time)
        {
            Note($"{engine}: {phase.Phase}: a round is missing: its lines came too close together, or too late, for its CPU time to be told (a larger --scale helps)");
            return;
        }

        if (!_samples.TryGetValue((phase.Phase, engine), out SortedDictionary<int, double>? rounds))
        {
            _samples[(phase.Phase, engine)] = rounds = [];
        }

        rounds[round] = time.TotalNanoseconds / phase.Count / (Instructions(phase.Phase) ?? 1);
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
