using System.Runtime.CompilerServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>Addresses of implicit memory operands (strings, XLAT), whose offset the decoder cannot describe.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class StringAddress
{
    /// <summary>Linear address of an offset (already masked to the address size) in a segment; false: the fault is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Linear(CpuState* s, int segment, ulong offset, int size, AccessKind kind, out ulong linear)
    {
        linear = offset;
        return IsFlat(s, segment) || SegmentCheck.Linear(s, segment, size, kind, ref linear);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsFlat(CpuState* s, int segment) =>
        segment < Segment.Fs && ((s->Mode & ModeKey.Code64) != 0 || (s->Mode & ModeKey.FlatData) != 0 && segment != Segment.Cs);
}
