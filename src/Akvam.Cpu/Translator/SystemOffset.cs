using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>Byte offsets in the state of what system calls read and change.</summary>
/// <remarks>Valid because it measures a variable of its own.</remarks>
internal static unsafe class SystemOffset
{
    static SystemOffset()
    {
        CpuState s = default;
        byte* state = (byte*)&s;
        SystemFlags = (int)((byte*)&s.SystemFlags - state);
        Cs = (int)((byte*)&s.Cs - state);
        Ss = (int)((byte*)&s.Ss - state);
        Cpl = (int)(&s.Cpl - state);
        Cr0 = (int)((byte*)&s.Cr0 - state);
        Cr2 = (int)((byte*)&s.Cr2 - state);
        Cr3 = (int)((byte*)&s.Cr3 - state);
        Cr4 = (int)((byte*)&s.Cr4 - state);
        Star = (int)((byte*)&s.Star - state);
        Lstar = (int)((byte*)&s.Lstar - state);
        Sfmask = (int)((byte*)&s.Sfmask - state);
        KernelGsBase = (int)((byte*)&s.KernelGsBase - state);
        Mode = (int)((byte*)&s.Mode - state);
        SystemTag = (int)((byte*)&s.SystemTag - state);
        CodeTag = (int)((byte*)&s.CodeTag - state);
        SlowWho = (int)(&s.SlowWho - state);
        AlignmentCheck = (int)(&s.AlignmentCheck - state);
        Epoch = (int)((byte*)&s.Epoch - state);
        SegmentRegister r = default;
        byte* segment = (byte*)&r;
        SegmentLimit = (int)((byte*)&r.Limit - segment);
        SegmentSelector = (int)((byte*)&r.Selector - segment);
        SegmentUnusable = (int)(&r.Unusable - segment);
    }

    public static int SystemFlags { get; }

    public static int Cs { get; }

    public static int Ss { get; }

    public static int Cpl { get; }

    public static int Cr0 { get; }

    public static int Cr2 { get; }

    public static int Cr3 { get; }

    public static int Cr4 { get; }

    /// <summary>CR0, CR2, CR3 or CR4.</summary>
    public static int Control(int number) => number switch
    {
        0 => Cr0,
        2 => Cr2,
        3 => Cr3,
        _ => Cr4,
    };

    public static int Star { get; }

    public static int Lstar { get; }

    public static int Sfmask { get; }

    public static int KernelGsBase { get; }

    public static int Mode { get; }

    public static int SystemTag { get; }

    public static int CodeTag { get; }

    public static int SlowWho { get; }

    public static int AlignmentCheck { get; }

    public static int Epoch { get; }

    /// <summary>In a segment register: limit, selector and attributes follow one another in eight bytes.</summary>
    public static int SegmentLimit { get; }

    public static int SegmentSelector { get; }

    public static int SegmentUnusable { get; }
}
