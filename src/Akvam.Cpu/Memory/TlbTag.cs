namespace Akvam.Cpu.Memory;

/// <summary>
/// The 12-bit tag of a TLB entry: the number of an address-space context (CR3, PCID, ASID, SMM, paging mode) times 4, plus who accesses.
/// Changing address space or privilege changes the tag; nothing is flushed.
/// </summary>
public static class TlbTag
{
    public const ulong Mask = 0xFFF;
    public const int Contexts = 1024;

    /// <summary>Supervisor; SMAP applies.</summary>
    public const ulong Supervisor = 0;

    /// <summary>Supervisor with RFLAGS.AC set: SMAP does not apply.</summary>
    public const ulong SupervisorAc = 1;

    public const ulong User = 2;

    /// <summary>Never filled, so every access takes the slow path: alignment checks are on or data breakpoints armed. Who really accesses: CpuState.SlowWho.</summary>
    public const ulong Slow = 3;

    public const ulong WhoMask = 3;
}
