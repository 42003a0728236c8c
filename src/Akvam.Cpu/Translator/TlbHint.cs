using System.Runtime.InteropServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>
/// For a place in host code that accesses memory: which entry of the data TLB served it last. Trying that entry costs less than finding the right one, and takes the
/// address out of the chain of what has to be known before the access can begin.
/// </summary>
/// <remarks>Valid because the TLB has its place behind the state, and every access compares the entry that a hint leads to with its own address and tag.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TlbHint
{
    public TlbEntry* Entry;

    /// <summary>The low half of <see cref="CpuState.Left"/> when <see cref="Misses"/> was set last.</summary>
    public uint LeftThen;

    /// <summary>Counts down; at 0 the place is judged.</summary>
    public uint Misses;

    /// <summary>Where its parts are.</summary>
    public const int LeftThenAt = 8, MissesAt = 12, Size = 16;

    public const int Count = 2048;

    /// <summary>A place that misses so many times within so many instructions does better without.</summary>
    public const int MissesAllowed = 64, Instructions = 96 * MissesAllowed;

    /// <summary>From the start of the state: behind the TLB.</summary>
    public const int Offset = CpuState.DtlbOffset + (Mem.DtlbEntries * 32);

    /// <summary>Makes every hint lead to some entry.</summary>
    public static void Initialize(CpuState* s)
    {
        var hints = (TlbHint*)((byte*)s + Offset);
        for (int n = 0; n < Count; n++)
        {
            hints[n] = new TlbHint { Entry = (TlbEntry*)((byte*)s + CpuState.DtlbOffset), Misses = MissesAllowed };
        }
    }
}
