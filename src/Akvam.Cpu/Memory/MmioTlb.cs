using System.Runtime.CompilerServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>
/// Translations of pages without RAM: a few entries behind the TLB, with the same tags and the same life, whose addend leads to the guest-physical address.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given; read and written by the processor's own thread, or with the processor parked.</remarks>
internal static unsafe class MmioTlb
{
    private const int Entries = CpuState.MmioEntries;

    /// <summary>The only entry that a page can have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TlbEntry* Entry(CpuState* s, ulong linear) => (TlbEntry*)s->MmioTlb + ((linear >> 12) & (Entries - 1));

    /// <summary>True when the access is known to be allowed, and where it leads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Find(CpuState* s, ulong linear, AccessKind kind, ulong page, out ulong gpa)
    {
        TlbEntry* e = Entry(s, linear);
        gpa = linear + e->Addend;
        return (kind == AccessKind.Read ? e->Read : e->Write) == page;
    }

    public static void Fill(CpuState* s, ulong linear, ulong page, in PageWalk walk)
    {
        TlbEntry* e = Entry(s, linear);
        e->Read = page;
        e->Write = walk.Writable ? page : TlbEntry.Invalid;
        e->Addend = walk.Gpa - linear;
        if (walk.Large || walk.Huge)
        {
            Processor.Of(s).Contexts.NoteLarge(linear, walk.Huge);
        }
    }

    public static void Forget(CpuState* s, ulong linear) => TlbControl.ForgetEntry(Entry(s, linear));

    public static void ForgetAll(CpuState* s)
    {
        for (ulong n = 0; n < Entries; n++)
        {
            Forget(s, n << 12);
        }
    }
}
