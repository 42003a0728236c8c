using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Smm;

/// <summary>A segment register in <see cref="SmramStateMap32"/>: bits 8-15 and 20-23 of the flags are the descriptor's; limit in bytes. Selectors are elsewhere.</summary>
[StructLayout(LayoutKind.Explicit, Size = 12)]
public struct SmramSegment32
{
    [FieldOffset(0)]
    public uint Flags;

    [FieldOffset(4)]
    public uint Limit;

    [FieldOffset(8)]
    public uint Base;

    internal static SmramSegment32 Save(in SegmentRegister r) =>
        new() { Flags = (uint)SmmMode.SavedAttributes(in r) << 8, Limit = r.Limit, Base = (uint)r.Base };

    internal readonly void Load(ref SegmentRegister r, uint selector) => r = SmmMode.LoadedSegment((ushort)selector, (ushort)(Flags >> 8), Limit, Base);
}
