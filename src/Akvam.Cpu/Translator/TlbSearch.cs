using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>The numbers by which host code searches the TLB as <see cref="Mem"/> does: an entry's distance in it is (address >> IndexShift ^ address >> FoldShift) and IndexMask.</summary>
internal static class TlbSearch
{
    private const int EntryShift = 5;

    public const int IndexShift = 12 - EntryShift, FoldShift = IndexShift + Mem.DtlbBits, IndexMask = (Mem.DtlbEntries - 1) << EntryShift;

    /// <summary>Where the parts of the first entry are, from the start of the state.</summary>
    public const int ReadAt = CpuState.DtlbOffset, WriteAt = ReadAt + 8, AddendAt = ReadAt + 24;
}
