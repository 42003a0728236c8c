using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Address-space contexts and flushing. Nothing here is slower than the clearing of a few words, but <see cref="FlushAll"/>.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class TlbControl
{
    /// <summary>Forgets every translation, global ones too (CR4.PGE, PAE, PSE, SMEP, CR0.PG, EFER.NXE changed; INVPCID type 2; RESET).</summary>
    public static void FlushAll(CpuState* s) => throw new NotSupportedException();

    /// <summary>Forgets the non-global translations of the current PCID (MOV CR3 without bit 63).</summary>
    public static void FlushNonGlobal(CpuState* s) => throw new NotSupportedException();

    /// <summary>Forgets the non-global translations of one PCID (INVPCID type 1).</summary>
    public static void FlushPcid(CpuState* s, uint pcid) => throw new NotSupportedException();

    /// <summary>Forgets one page in the current address space, and global translations of it (INVLPG).</summary>
    public static void FlushPage(CpuState* s, ulong linear) => throw new NotSupportedException();

    /// <summary>Forgets one page of one PCID (INVPCID type 0).</summary>
    public static void FlushPage(CpuState* s, ulong linear, uint pcid) => throw new NotSupportedException();

    /// <summary>CR3 was loaded with another PCID or with bit 63 set: use that PCID's context, whose translations stay valid.</summary>
    public static void SwitchContext(CpuState* s) => throw new NotSupportedException();

    /// <summary>Derives the tags from the current context, CPL, AC and SMAP.</summary>
    public static void UpdateTags(CpuState* s) => throw new NotSupportedException();
}
