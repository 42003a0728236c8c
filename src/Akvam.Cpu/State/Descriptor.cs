using System.Runtime.CompilerServices;
namespace Akvam.Cpu.State;

/// <summary>The eight bytes of a segment, system or gate descriptor. [APM2 4.7] [SDM3 3.4.5]</summary>
public readonly struct Descriptor(ulong raw)
{
    public const int TssAvailable16 = 1, Ldt = 2, TssBusy16 = 3, CallGate16 = 4, TaskGate = 5, InterruptGate16 = 6, TrapGate16 = 7,
        TssAvailable = 9, TssBusy = 11, CallGate = 12, InterruptGate = 14, TrapGate = 15;

    public readonly ulong Raw = raw;

    /// <summary>In the packing of <see cref="SegmentRegister.Attributes"/>.</summary>
    public ushort Attributes => (ushort)((Raw >> 40) & 0xF0FF);

    public uint Base
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(((Raw >> 16) & 0xFF_FFFF) | ((Raw >> 32) & 0xFF00_0000));
    }

    /// <summary>In bytes, whatever G says.</summary>
    public uint Limit
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            uint limit = (uint)((Raw & 0xFFFF) | ((Raw >> 32) & 0xF_0000));
            return (Raw & (1ul << 55)) != 0 ? (limit << 12) | 0xFFF : limit;
        }
    }

    public int Type => (int)(Raw >> 40) & 0xF;

    public int Dpl => (int)(Raw >> 45) & 3;

    public bool IsPresent => (Raw & (1ul << 47)) != 0;

    /// <summary>S = 0: a TSS, LDT or gate.</summary>
    public bool IsSystem => (Raw & (1ul << 44)) == 0;

    public bool IsCode => !IsSystem && (Type & SegmentRegister.Code) != 0;

    public bool IsConforming => (Type & SegmentRegister.Conforming) != 0;

    public bool IsWritableData => !IsSystem && (Type & (SegmentRegister.Code | SegmentRegister.Writable)) == SegmentRegister.Writable;

    /// <summary>Data, or code that may be read.</summary>
    public bool IsReadable => !IsSystem && (Type & (SegmentRegister.Code | SegmentRegister.Readable)) != SegmentRegister.Code;

    public bool IsAccessed => (Type & SegmentRegister.Accessed) != 0;

    public bool IsBig => (Raw & (1ul << 54)) != 0;

    public bool IsLong => (Raw & (1ul << 53)) != 0;

    /// <summary>Of a gate: where it leads.</summary>
    public ushort GateSelector => (ushort)(Raw >> 16);

    /// <summary>Of a gate: the low 32 bits of the offset (bits 31:16 are meaningless in a 16-bit gate).</summary>
    public uint GateOffset => (uint)((Raw & 0xFFFF) | ((Raw >> 32) & 0xFFFF_0000));

    /// <summary>Of a call gate: parameters to copy, in units of the gate's width.</summary>
    public int GateParameters => (int)(Raw >> 32) & 0x1F;

    /// <summary>Of a 64-bit interrupt gate: the stack of the TSS to use, 0 for none.</summary>
    public int GateIst => (int)(Raw >> 32) & 7;

    /// <summary>The register that loading this segment gives; the accessed bit counts as set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public SegmentRegister ToRegister(ushort selector) => new()
    {
        Base = Base,
        Limit = Limit,
        Selector = selector,
        Attributes = (ushort)(Attributes | SegmentRegister.Accessed),
    };
}
