namespace Akvam.Machine.Loading;

/// <summary>The state a processor starts in. What is not listed has its reset value.</summary>
/// <param name="Mode">The operating mode, with flat segments where it is not real mode.</param>
/// <param name="Rip">The first instruction; an offset in CS in real mode.</param>
public sealed record StartState(StartMode Mode, ulong Rip)
{
    /// <summary>The real-mode code segment, or the selector of the flat one.</summary>
    public ushort Cs { get; init; }

    /// <summary>The real-mode data and extra segment, or the selector of the flat ones.</summary>
    public ushort Ds { get; init; }

    /// <summary>The real-mode stack segment.</summary>
    public ushort Ss { get; init; }

    public ulong Rax { get; init; }

    public ulong Rbx { get; init; }

    public ulong Rdx { get; init; }

    public ulong Rsi { get; init; }

    public ulong Rsp { get; init; }

    /// <summary>Where the page tables are (long mode).</summary>
    public ulong Cr3 { get; init; }

    /// <summary>Where the descriptor table with the flat segments is, when there is one.</summary>
    public ulong GdtBase { get; init; }

    /// <summary>Its size in bytes.</summary>
    public int GdtBytes { get; init; }
}
