using System.Runtime.CompilerServices;
using Akvam.Cpu.State;
using Akvam.Cpu.Translator;

namespace Akvam.Cpu.Memory;

/// <summary>
/// Address-space contexts and flushing. A flush gives the address space a new context number; entries under the old number never match again.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class TlbControl
{
    /// <summary>Forgets every translation, global ones too (CR4.PGE, PAE, PSE, SMEP, CR0.PG, EFER.NXE changed; INVPCID type 2; RESET).</summary>
    public static void FlushAll(CpuState* s)
    {
        Processor.Of(s).Contexts.ForgetAll();
        UpdateTags(s);
    }

    /// <summary>Forgets the non-global translations of the current PCID (MOV CR3 without bit 63).</summary>
    public static void FlushNonGlobal(CpuState* s) => FlushPcid(s, Pcid(s));

    /// <summary>Forgets the non-global translations of one PCID (INVPCID type 1).</summary>
    public static void FlushPcid(CpuState* s, uint pcid)
    {
        Processor.Of(s).Contexts.Forget(s->InSmm, pcid);
        UpdateTags(s);
    }

    /// <summary>Forgets one page in the current address space, and global translations of it (INVLPG).</summary>
    public static void FlushPage(CpuState* s, ulong linear)
    {
        Processor p = Processor.Of(s);
        if (p.Contexts.MayBeLarge(linear))
        {
            // A large page sits in the TLB as any number of small ones: forget the lot. [APM2 5.5.2]
            FlushAll(s);
            return;
        }

        // The slot depends on the linear address only, so this covers every context.
        ForgetEntry(Mem.Entry(s, linear));
        TlbWindow.ForgetPage(s, linear);
        MmioTlb.Forget(s, linear);
        p.Blocks.ForgetPage(linear);
    }

    /// <summary>Forgets one page of one PCID (INVPCID type 0).</summary>
    public static void FlushPage(CpuState* s, ulong linear, uint pcid) => FlushPage(s, linear);

    /// <summary>CR3 was loaded with another PCID or with bit 63 set: use that PCID's context, whose translations stay valid.</summary>
    public static void SwitchContext(CpuState* s) => UpdateTags(s);

    /// <summary>Derives the tags from the current context, CPL, AC, SMAP and armed data breakpoints.</summary>
    public static void UpdateTags(CpuState* s) => SetTags(s, (ulong)Processor.Of(s).Contexts.Of(s->InSmm, Pcid(s)) << 2);

    /// <summary>As <see cref="UpdateTags"/> when the address space is the same: CPL or AC changed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void UpdateLevel(CpuState* s) => SetTags(s, s->SystemTag & ~TlbTag.WhoMask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetTags(CpuState* s, ulong context)
    {
        bool ac = (s->SystemFlags & Rflags.AC) != 0;
        ulong who = s->Cpl == 3 ? TlbTag.User : ac && (s->Cr4 & Cr4.SMAP) != 0 ? TlbTag.SupervisorAc : TlbTag.Supervisor;
        s->SlowWho = (byte)who;
        s->AlignmentCheck = ac && s->Cpl == 3 && (s->Cr0 & Cr0.AM) != 0 ? (byte)1 : (byte)0;
        s->DataTag = context | (s->AlignmentCheck != 0 || s->DataBreakpoints != 0 ? TlbTag.Slow : who);
        s->SystemTag = context | TlbTag.Supervisor;
        s->CodeTag = context | (s->Cpl == 3 ? TlbTag.User : TlbTag.Supervisor);
        TlbWindow.Adopt(s);
    }

    internal static void ForgetEntry(TlbEntry* e)
    {
        e->Read = TlbEntry.Invalid;
        e->Write = TlbEntry.Invalid;
        e->Tracked = TlbEntry.Invalid;
    }

    private static uint Pcid(CpuState* s) => (s->Cr4 & Cr4.PCIDE) != 0 ? (uint)(s->Cr3 & 0xFFF) : 0;
}
