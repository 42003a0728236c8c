using System.Runtime.InteropServices;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>What an instruction at CPL 3 can see and change, but memory: laid out for the host trampoline.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MachineState
{
    public fixed ulong Gpr[16];
    public ulong Rflags;
    public ulong Mxcsr;
    public ulong HostRsp;
    private fixed ulong _pad[13];
    public fixed byte Ymm[16 * 32];

    /// <summary>FXSAVE image; only the x87 part is used.</summary>
    public fixed byte Fx[512];

    public const int RflagsOffset = 128, MxcsrOffset = 136, HostRspOffset = 144, YmmOffset = 256, FxOffset = 768;
}
