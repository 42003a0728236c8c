using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>Byte offsets that host code uses.</summary>
/// <remarks>Valid because it measures variables of its own.</remarks>
internal static unsafe class StateOffset
{
    public const int Rip = Register.RipOffset;

    private static readonly int s_selectors, s_bases, s_readEnds, s_writeEnds, s_windowFills;

    static StateOffset()
    {
        CpuState s = default;
        byte* state = (byte*)&s;
        Requests = (int)((byte*)&s.Requests - state);
        DataTag = (int)((byte*)&s.DataTag - state);
        HostFlags = (int)((byte*)&s.HostFlags - state);
        FlagRecipe = (int)((byte*)&s.FlagRecipe - state);
        FlagCarry = (int)((byte*)&s.FlagCarry - state);
        FlagA = (int)((byte*)&s.FlagA - state);
        FlagB = (int)((byte*)&s.FlagB - state);
        Left = (int)((byte*)&s.Left - state);
        Stamp = (int)((byte*)&s.Stamp - state);
        StackBase = (int)((byte*)&s.StackBase - state);
        StackLimit = (int)((byte*)&s.StackLimit - state);
        ForgetReturns = (int)((byte*)&s.ForgetReturns - state);
        LinkFrom = (int)((byte*)&s.LinkFrom - state);
        JumpTarget = (int)((byte*)&s.JumpTarget - state);
        Mxcsr = (int)((byte*)&s.Mxcsr - state);
        VectorsHeld = (int)((byte*)&s.VectorsHeld - state);
        X87Held = (int)((byte*)&s.X87Held - state);
        Fcs = (int)((byte*)&s.Fcs - state);
        Fds = (int)((byte*)&s.Fds - state);
        s_selectors = (int)((byte*)&s.Es.Selector - state);
        s_bases = (int)((byte*)&s.Es.Base - state);
        s_readEnds = (int)((byte*)s.ReadEnds - state);
        s_writeEnds = (int)((byte*)s.WriteEnds - state);
        LeaveToInterpreter = (int)((byte*)&s.LeaveToInterpreter - state);
        Saved = (int)((byte*)&s.Saved - state);
        s_windowFills = (int)((byte*)s.WindowFills - state);
        WindowlessSite = (int)((byte*)&s.WindowlessSite - state);
        WindowlessSearch = (int)((byte*)&s.WindowlessSearch - state);
        FsBase = (int)((byte*)&s.Fs.Base - state);
        GsBase = (int)((byte*)&s.Gs.Base - state);
        CodePage p = default;
        byte* page = (byte*)&p;
        PageStamp = (int)((byte*)&p.Stamp - page);
        PageVersion = (int)((byte*)&p.Version - page);
        PageSeenVersion = (int)((byte*)&p.SeenVersion - page);
        Edge e = default;
        EdgeTarget = (int)((byte*)&e.Target - (byte*)&e);
    }

    public static int Requests { get; }

    public static int DataTag { get; }

    public static int HostFlags { get; }

    public static int FlagRecipe { get; }

    public static int FlagCarry { get; }

    public static int FlagA { get; }

    public static int FlagB { get; }

    public static int Left { get; }

    public static int Stamp { get; }

    public static int StackBase { get; }

    public static int StackLimit { get; }

    public static int ForgetReturns { get; }

    public static int LinkFrom { get; }

    public static int JumpTarget { get; }

    public static int Mxcsr { get; }

    public static int VectorsHeld { get; }

    public static int X87Held { get; }

    public static int Fcs { get; }

    public static int Fds { get; }

    public static int LeaveToInterpreter { get; }

    public static int Saved { get; }

    public static int WindowlessSite { get; }

    public static int WindowlessSearch { get; }

    public static int FsBase { get; }

    public static int GsBase { get; }

    public static int PageStamp { get; }

    public static int PageVersion { get; }

    public static int PageSeenVersion { get; }

    public static int EdgeTarget { get; }

    /// <summary>How many windows of a level were filled.</summary>
    public static int WindowFills(int level) => s_windowFills + (level * sizeof(ulong));

    /// <summary>The selector of a segment register by its number.</summary>
    public static int SegmentSelector(int segment) => s_selectors + (segment * sizeof(SegmentRegister));

    /// <summary>The base of a segment register by its number.</summary>
    public static int SegmentBase(int segment) => s_bases + (segment * sizeof(SegmentRegister));

    /// <summary>Where a segment ends for reads or writes, by its number.</summary>
    public static int SegmentEnd(int segment, bool write) => (write ? s_writeEnds : s_readEnds) + (segment * sizeof(ulong));
}
