namespace Akvam.Cpu.Translator;

/// <summary>What had to go because there was no more room, since the processor was made, and how long the guest waited for it.</summary>
public sealed record EvictionStatistics
{
    /// <summary>Regions that were emptied.</summary>
    public long Regions { get; init; }

    /// <summary>Blocks that went with them, or lost their host code.</summary>
    public long Blocks { get; init; }

    /// <summary>Time that all of it took.</summary>
    public TimeSpan Total { get; init; }

    /// <summary>The longest time that one region took.</summary>
    public TimeSpan Longest { get; init; }
}
