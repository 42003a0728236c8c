namespace Akvam.Cli.Bench;

/// <summary>Collects the phases of one run from the guest's lines.</summary>
internal sealed class AkbRecorder
{
    private readonly Dictionary<string, TimeSpan?> _begun = [];
    private readonly List<PhaseResult> _phases = [];
    private readonly List<string> _notes = [];

    /// <summary>The phases that ended, in order.</summary>
    public IReadOnlyList<PhaseResult> Phases => _phases;

    /// <summary>What the guest skipped, found out or trapped on.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Whether the guest said that it is done.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Whether the guest ended with an exception that it did not expect.</summary>
    public bool HasTrapped { get; private set; }

    /// <summary>Takes a line of the guest's output.</summary>
    /// <param name="text">The line.</param>
    /// <param name="now">The CPU time of the engine when it arrived, or null where that is unknown.</param>
    public void Take(string text, TimeSpan? now)
    {
        if (!AkbLine.TryParse(text, out AkbLine line))
        {
            return;
        }

        switch (line.Verb)
        {
            case "begin":
                _begun[line.Phase] = now;
                break;
            case "end":
                // Two lines that came at once were not far enough apart to be told from each other.
                TimeSpan? time = _begun.TryGetValue(line.Phase, out TimeSpan? begin) ? now - begin : null;
                _phases.Add(new PhaseResult(line.Phase, line.Count, line.Sum, time > TimeSpan.Zero ? time : null));
                break;
            case "done":
                IsDone = true;
                break;
            default:
                HasTrapped |= line.Verb == "trap";
                _notes.Add($"{line.Verb} {line.Phase}");
                break;
        }
    }
}
