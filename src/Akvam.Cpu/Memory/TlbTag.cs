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

    /// <summary>User with alignment checks on: never filled, so every access takes the slow path.</summary>
    public const ulong UserAlignmentCheck = 3;

    public const ulong WhoMask = 3;
}
