namespace Akvam.Debugger.Lockstep;

/// <summary>How long and how often to compare.</summary>
public sealed record LockstepOptions
{
    /// <summary>Ends the comparison after so many instructions of all processors.</summary>
    public ulong MaximumInstructions { get; init; } = ulong.MaxValue;

    /// <summary>
    /// 0: the translator is stopped about once a millisecond, by a kick, wherever that finds it. Otherwise it is stopped after each so many instructions, which makes
    /// the run repeatable.
    /// </summary>
    public ulong Every { get; init; }
}
