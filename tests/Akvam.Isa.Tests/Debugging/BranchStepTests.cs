using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>IA32_DEBUGCTL.BTF: single-stepping on branches. [SDM3 17.4.3] [APM2 13.1.1.5]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class BranchStepTests
{
    private const ulong Origin = EventMachine.Origin;
    private const uint DebugCtl = 0x1D9;

    [Theory]
    [InlineData("909075FE74009090", 6, 3)] // nop; nop; jnz (not taken); jz (taken)
    [InlineData("F3AAEB0090", 4, 2)] // rep stosb: no trap between iterations
    [InlineData("E80000000090", 5, 1)]
    public void Only_a_taken_branch_traps(string code, int stop, int instructions)
    {
        using var e = new EventMachine(code);
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Gpr[Register.Rcx] = 3;
        e.S->Gpr[Register.Rdi] = 0x2_0000;
        Assert.Equal(MsrAccess.Done, e.M.Processor.Msrs.Write(e.S, DebugCtl, 2));
        e.Flags = Rflags.TF | Rflags.ZF;
        Assert.Equal(RunResult.Debug, e.Run(20));
        Assert.Equal((Vector.DB, 0x4000ul), (e.S->Fault.Vector, e.S->Fault.Payload));
        Assert.Equal((Origin + (ulong)stop, (ulong)instructions + (stop == 6 ? 1ul : 0)), (e.S->Rip, e.S->Retired));
    }

    [Fact]
    public void The_exception_clears_the_bit()
    {
        using var e = new EventMachine("EB00");
        Assert.Equal(MsrAccess.Done, e.M.Processor.Msrs.Write(e.S, DebugCtl, 3));
        e.Flags = Rflags.TF;
        Assert.Equal(RunResult.Halted, e.Run(20));
        Assert.Equal(1, e.StoppedIn);
        Assert.Equal(MsrAccess.Done, e.M.Processor.Msrs.Read(e.S, DebugCtl, out ulong value));
        Assert.Equal(1ul, value);
    }

    [Fact]
    public void Reset_but_not_init_gives_msrs_their_first_values()
    {
        using var e = new EventMachine("90");
        Processor p = e.M.Processor;
        foreach ((uint index, ulong value) in new (uint, ulong)[] { (DebugCtl, 3), (0xC000_0082, 0x1234), (0x175, 0x1234), (0x2FF, 0xC06), (0x200, 0x1006) })
        {
            Assert.Equal(MsrAccess.Done, p.Msrs.Write(e.S, index, value));
            p.Reset(init: true);
            Assert.Equal((MsrAccess.Done, value), (p.Msrs.Read(e.S, index, out ulong kept), kept));
            p.Reset();
            Assert.Equal((MsrAccess.Done, 0ul), (p.Msrs.Read(e.S, index, out ulong first), first));
        }
    }
}
