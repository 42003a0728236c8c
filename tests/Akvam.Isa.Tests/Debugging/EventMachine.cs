using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>64-bit kernel code at <see cref="Origin"/>; handlers are HLT unless a test writes another one.</summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class EventMachine : IDisposable
{
    public const ulong Origin = 0xC000;

    public EventMachine(string code, GuestMode mode = GuestMode.Long)
    {
        ModeSetup.Enter(M, mode, Origin);
        Convert.FromHexString(code).CopyTo(M.Memory[(int)Origin..]);
    }

    public TestMachine M { get; } = new(4 << 20);

    public CpuState* S => M.State;

    public ulong Flags
    {
        get => LazyFlags.Read(S);
        set
        {
            LazyFlags.Write(S, value | Rflags.Fixed);
            Processor.UpdateMode(S);
        }
    }

    /// <summary>A slot of the stack in 64-bit mode: 0 is the RIP that an event without error code pushed.</summary>
    public ulong Slot(int n) => *(ulong*)(M.Ram + S->Gpr[Register.Rsp] + (8 * n));

    /// <summary>The vector whose HLT handler the processor stopped in.</summary>
    public int StoppedIn => (int)(S->Rip - 1 - ModeSetup.Handlers);

    /// <summary>Points a 64-bit gate at code.</summary>
    public void Handler(int vector, string code, bool trapGate = false)
    {
        ulong at = 0x1_0000 + ((ulong)vector << 8);
        Convert.FromHexString(code).CopyTo(M.Memory[(int)at..]);
        ulong* gate = (ulong*)(M.Ram + ModeSetup.Idt + (16 * vector));
        gate[0] = (at & 0xFFFF) | ((ulong)ModeSetup.Code64 << 16) | (trapGate ? 0x8F00_0000_0000ul : 0x8E00_0000_0000) | ((at >> 16) << 48);
        gate[1] = 0;
    }

    public static ulong HandlerOf(int vector) => 0x1_0000 + ((ulong)vector << 8);

    public RunResult Run(ulong n = 1000) => M.Processor.Run(n);

    public void Dispose() => M.Dispose();
}
