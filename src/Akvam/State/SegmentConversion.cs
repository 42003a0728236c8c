using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <summary>
/// Between the processor's segment registers and <see cref="kvm_segment"/>, as an SVM host does it: every field of an unusable segment is kept, only its P bit is not,
/// and SS.dpl carries the CPL. [APM2 15.5.1]
/// </summary>
internal static class SegmentConversion
{
    private const byte BusyTss = 2;

    public static SegmentRegister From(in kvm_segment s)
    {
        bool usable = s.present != 0 && s.unusable == 0;
        return new SegmentRegister
        {
            Base = s.@base,
            Limit = s.limit,
            Selector = s.selector,
            Attributes = (ushort)((s.type & 0xF) | (s.s & 1) << 4 | (s.dpl & 3) << SegmentRegister.DplShift | (usable ? SegmentRegister.P : 0)
                | (s.avl & 1) << 12 | (s.l & 1) << 13 | (s.db & 1) << 14 | (s.g & 1) << 15),
            Unusable = usable ? (byte)0 : (byte)1,
        };
    }

    public static kvm_segment To(in SegmentRegister r)
    {
        bool usable = r.IsUsable && r.IsPresent;
        return new kvm_segment
        {
            @base = r.Base,
            limit = r.Limit,
            selector = r.Selector,
            type = (byte)r.Type,
            present = usable ? (byte)1 : (byte)0,
            dpl = (byte)r.Dpl,
            db = r.IsBig ? (byte)1 : (byte)0,
            s = (byte)((r.Attributes >> 4) & 1),
            l = r.IsLong ? (byte)1 : (byte)0,

            // The limit is in bytes; G says no more than whether it fits 20 bits. [APM2 4.7.1]
            g = r.Limit > 0xFFFFF ? (byte)1 : (byte)0,
            avl = (byte)((r.Attributes >> 12) & 1),
            unusable = usable ? (byte)0 : (byte)1,
        };
    }

    /// <summary>DS, ES, FS, GS: a loaded data segment is an accessed one.</summary>
    public static kvm_segment ToData(in SegmentRegister r)
    {
        kvm_segment s = To(in r);
        if (s.unusable == 0)
        {
            s.type |= 1;
        }

        return s;
    }

    public static kvm_segment ToStack(in SegmentRegister r, int cpl)
    {
        kvm_segment s = To(in r);
        if (s.unusable != 0)
        {
            s.db = 0;
        }

        s.dpl = (byte)cpl;
        return s;
    }

    /// <summary>A loaded TSS is a busy one.</summary>
    public static kvm_segment ToTask(in SegmentRegister r)
    {
        kvm_segment s = To(in r);
        s.type |= BusyTss;
        return s;
    }
}
