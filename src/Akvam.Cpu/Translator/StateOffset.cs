using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>Byte offsets that host code uses.</summary>
/// <remarks>Valid because it measures variables of its own.</remarks>
internal static unsafe class StateOffset
{
    public const int Rip = Register.RipOffset;

    static StateOffset()
    {
        CpuState s = default;
        byte* state = (byte*)&s;
        Requests = (int)((byte*)&s.Requests - state);
        Retired = (int)((byte*)&s.Retired - state);
        DataTag = (int)((byte*)&s.DataTag - state);
        CodeTag = (int)((byte*)&s.CodeTag - state);
        Mode = (int)((byte*)&s.Mode - state);
        Epoch = (int)((byte*)&s.Epoch - state);
        HostFlags = (int)((byte*)&s.HostFlags - state);
        LinkFrom = (int)((byte*)&s.LinkFrom - state);
        Lookup = (int)((byte*)&s.Lookup - state);
        JumpTarget = (int)((byte*)&s.JumpTarget - state);
        Mxcsr = (int)((byte*)&s.Mxcsr - state);
        VectorsHeld = (int)((byte*)&s.VectorsHeld - state);
        LeaveToInterpreter = (int)((byte*)&s.LeaveToInterpreter - state);
        FsBase = (int)((byte*)&s.Fs.Base - state);
        GsBase = (int)((byte*)&s.Gs.Base - state);
        Block b = default;
        byte* block = (byte*)&b;
        BlockLinear = (int)((byte*)&b.Linear - block);
        BlockTag = (int)((byte*)&b.Tag - block);
        BlockVersion = (int)((byte*)&b.Version - block);
        BlockMode = (int)((byte*)&b.Mode - block);
        BlockSeenVersion = (int)((byte*)&b.SeenVersion - block);
        BlockEpoch = (int)((byte*)&b.Epoch - block);
        BlockHostCode = (int)((byte*)&b.HostCode - block);
    }

    public static int Requests { get; }

    public static int Retired { get; }

    public static int DataTag { get; }

    public static int CodeTag { get; }

    public static int Mode { get; }

    public static int Epoch { get; }

    public static int HostFlags { get; }

    public static int LinkFrom { get; }

    public static int Lookup { get; }

    public static int JumpTarget { get; }

    public static int Mxcsr { get; }

    public static int VectorsHeld { get; }

    public static int LeaveToInterpreter { get; }

    public static int FsBase { get; }

    public static int GsBase { get; }

    public static int BlockLinear { get; }

    public static int BlockTag { get; }

    public static int BlockVersion { get; }

    public static int BlockMode { get; }

    public static int BlockSeenVersion { get; }

    public static int BlockEpoch { get; }

    public static int BlockHostCode { get; }
}
