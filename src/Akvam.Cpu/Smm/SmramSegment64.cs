using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Smm;

/// <summary>A segment register in <see cref="SmramStateMap64"/>: attributes as <see cref="SegmentRegister"/> has them, limit in bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct SmramSegment64
{
    [FieldOffset(0)]
    public ushort Selector;

    [FieldOffset(2)]
    public ushort Attributes;

    [FieldOffset(4)]
    public uint Limit;

    [FieldOffset(8)]
    public ulong Base;

    internal static SmramSegment64 Save(in SegmentRegister r) =>
        new() { Selector = r.Selector, Attributes = SmmMode.SavedAttributes(in r), Limit = r.Limit, Base = r.Base };

    internal readonly void Load(ref SegmentRegister r) => r = SmmMode.LoadedSegment(Selector, Attributes, Limit, Base);
}
