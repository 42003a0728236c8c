namespace Akvam.Debugger.Lockstep;

/// <summary>How a comparison came out.</summary>
public sealed record LockstepResult
{
    /// <summary>Instructions that were compared, of all processors.</summary>
    public required ulong Instructions { get; init; }

    /// <summary>Times that registers were compared.</summary>
    public required long Stops { get; init; }

    /// <summary>Times that all memory was compared.</summary>
    public required long MemoryComparisons { get; init; }

    /// <summary>How the machines ended, or why the comparison did.</summary>
    public required string End { get; init; }

    /// <summary>What differs first; empty: nothing.</summary>
    public IReadOnlyList<Difference> Differences { get; init; } = [];

    /// <summary>For people: where, the last instructions, both states and the code; null without a difference.</summary>
    public string? Report { get; init; }
}
