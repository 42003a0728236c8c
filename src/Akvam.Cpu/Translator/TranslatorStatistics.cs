namespace Akvam.Cpu.Translator;

/// <summary>What the translator did since it was made.</summary>
public sealed record TranslatorStatistics
{
    /// <summary>Blocks of guest code translated.</summary>
    public long Blocks { get; init; }

    /// <summary>Guest instructions in them.</summary>
    public long Instructions { get; init; }

    /// <summary>Bytes of host code made for them.</summary>
    public long HostBytes { get; init; }

    /// <summary>Guest instructions executed outside host code, because they were not executed often enough to be translated, or stand in the last few before a limit.</summary>
    public long Cold { get; init; }

    /// <summary>Times that host code returned to the run loop.</summary>
    public long Exits { get; init; }

    /// <summary>Memory accesses of host code that the TLB did not serve.</summary>
    public long SlowAccesses { get; init; }

    /// <summary>Host code that went because there was no more room.</summary>
    public EvictionStatistics HostCodeEvictions { get; init; } = new();

    /// <summary>Decoded blocks that were dropped because there was no more room.</summary>
    public EvictionStatistics DecodedEvictions { get; init; } = new();

    /// <summary>Times that everything was dropped: a memory slot went away, or the like.</summary>
    public long Resets { get; init; }

    /// <summary>Times that host code called the interpreter for an instruction it does not cover, by the name of Iced's code, most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Interpreted { get; init; } = [];
}
