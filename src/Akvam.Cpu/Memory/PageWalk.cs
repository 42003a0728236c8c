namespace Akvam.Cpu.Memory;

/// <summary>What a page walk found.</summary>
internal struct PageWalk
{
    /// <summary>Guest-physical address of the byte asked for.</summary>
    public ulong Gpa;

    /// <summary>Writes by the same accessor need no further walk: allowed, and the dirty bit is set.</summary>
    public bool Writable;

    /// <summary>Mapped by a 2 or 4 MiB page.</summary>
    public bool Large;

    /// <summary>Mapped by a 1 GiB page.</summary>
    public bool Huge;

    /// <summary>Where the last table was, which is where the page usually is too; or null.</summary>
    public MemorySlot? Slot;
}
