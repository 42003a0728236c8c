namespace Akvam.Cpu.Translator;

/// <summary>A jump of host code from one block to a known address: to a stub that leaves, until the block there has host code.</summary>
/// <remarks>Valid as long as the <see cref="CodeRecord"/> that it follows.</remarks>
public unsafe struct Edge
{
    /// <summary>Guest address it leads to.</summary>
    public ulong Target;

    /// <summary>Executable address just behind the jump's four bytes of displacement.</summary>
    public nint Site;

    /// <summary>Page of the block it belongs to.</summary>
    public CodePage* Page;

    /// <summary>While it leads to a block: the next one that does, and what points to this one.</summary>
    public Edge* NextIncoming;
    public Edge** Link;

    /// <summary>Distance of the stub from <see cref="Site"/>.</summary>
    public int Stub;

    /// <summary>Not forward in the page: whoever takes it looks at the requests.</summary>
    public bool Back;

    /// <summary>To a twin of the block that is there, which does without groups of accesses; and how often it was taken without one.</summary>
    public bool Twin;
    public byte Misses;
}
