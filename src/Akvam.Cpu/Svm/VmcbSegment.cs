using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>A segment or table register in a VMCB; the attributes are those of a descriptor with the limit bits taken out. [APM2 B.2]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VmcbSegment
{
    private const ushort LowAttributes = 0xFF, HighAttributes = 0xF00;
    private const int HighShift = 4;

    public ushort Selector;
    public ushort Attributes;
    public uint Limit;
    public ulong Base;

    /// <summary>An unusable register is one that is not present.</summary>
    public static VmcbSegment Of(in SegmentRegister r) => new()
    {
        Selector = r.Selector,
        Attributes = (ushort)((r.Attributes & LowAttributes & (r.IsUsable ? ~0 : ~SegmentRegister.P)) | ((r.Attributes >> HighShift) & HighAttributes)),
        Limit = r.Limit,
        Base = r.Base,
    };

    /// <param name="r">Register to load.</param>
    /// <param name="addressBits">Width of linear addresses: the base is sign-extended from it.</param>
    public readonly void Load(out SegmentRegister r, int addressBits) => r = new SegmentRegister
    {
        Selector = Selector,
        Attributes = (ushort)((Attributes & LowAttributes) | ((Attributes & HighAttributes) << HighShift)),
        Limit = Limit,
        Base = CanonicalBase(addressBits),
        Unusable = (Attributes & SegmentRegister.P) == 0 ? (byte)1 : (byte)0,
    };

    /// <summary>The base as VMRUN and VMLOAD load it: canonical whatever the VMCB holds. [APM2 15.5.1]</summary>
    public readonly ulong CanonicalBase(int addressBits) => (ulong)((long)(Base << (64 - addressBits)) >> (64 - addressBits));
}
