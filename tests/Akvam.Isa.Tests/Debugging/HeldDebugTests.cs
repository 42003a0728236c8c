using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>Debug exceptions around MOV SS, which holds them back, and SYSRET, which may begin them. [SDM3 6.8.3] [APM2 8.5] [APM3 SYSRET]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class HeldDebugTests
{
    private const ulong Origin = EventMachine.Origin, Watched = 0x2_0000;
    private const string CountAndReturn = "49FFC048CF"; // inc r8; iretq

    [Fact]
    public void Sysret_that_sets_tf_traps_before_the_first_instruction_at_cpl_3()
    {
        using var e = new EventMachine("480F07");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Efer |= Efer.SCE;
        e.S->Star = (ulong)(ModeSetup.UserCode64 - 16) << 48;
        e.S->Gpr[Register.Rcx] = 0x1_0000;
        e.S->Gpr[11] = Rflags.TF | Rflags.Fixed;
        e.Flags = 0;
        Assert.Equal(RunResult.Debug, e.Run(5));
        Assert.Equal((Vector.DB, 0x4000ul, 0x1_0000ul, 1ul), (e.S->Fault.Vector, e.S->Fault.Payload, e.S->Rip, e.S->Retired));
        Assert.Equal(3, e.S->Cpl);
    }

    [Fact]
    public void Sysret_that_clears_tf_leaves_no_trap()
    {
        using var e = new EventMachine("480F07");
        e.S->Efer |= Efer.SCE;
        e.S->Star = (ulong)(ModeSetup.UserCode64 - 16) << 48;
        e.S->Gpr[Register.Rcx] = 0x1_0000;
        e.S->Gpr[11] = Rflags.Fixed;
        e.Flags = Rflags.TF;
        Assert.Equal(RunResult.Limit, e.Run(1));
        Assert.Equal((0u, 0x1_0000ul), (e.S->PendingDebug, e.S->Rip));
    }

    [Theory]
    [InlineData("8ED0F1", 0ul)] // mov ss, eax; int1: no single-step trap was held back
    [InlineData("8ED00F21F0", 0x2000ul)] // mov ss, eax; mov rax, dr6 under DR7.GD
    public void The_single_step_trap_of_mov_ss_does_not_come_with_the_next_exception(string code, ulong dr6)
    {
        using var e = new EventMachine(code);
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        e.S->Dr6 = 0xFFFF_0FF0;
        e.S->Dr7 = dr6 != 0 ? 0x2400u : 0x400u;
        e.Flags = Rflags.TF;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((1, dr6), (e.StoppedIn, e.S->Dr6 & 0xE00F));
    }

    [Theory]
    [InlineData("2EF1", 1)] // int1 takes the breakpoint with it
    [InlineData("CD01", 2)] // int 1 is an interrupt of its own, and the breakpoint follows
    [InlineData("90", 1)]
    public void A_data_breakpoint_of_mov_ss_comes_with_int1_or_after_the_next_instruction(string next, int times)
    {
        // mov ss, [rdi]
        using var e = new EventMachine("8E17" + next + "F4");
        e.Handler(1, CountAndReturn);
        *(ushort*)(e.M.Ram + Watched) = ModeSetup.Data;
        e.S->Gpr[Register.Rdi] = Watched;
        e.S->Dr[1] = Watched;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x70_0404));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((ulong)times, e.S->Gpr[8]);
        Assert.Equal(2ul, e.S->Dr6 & 0xF);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void An_instruction_breakpoint_behind_mov_ss_hits_on_amd_processors_only(bool amd, int times)
    {
        using var e = new EventMachine("8ED090F4");
        CpuidEntry[] table = CpuidModel.Supported();
        int basic = Array.FindIndex(table, entry => entry.Function == 0);
        (table[basic].Ebx, table[basic].Edx, table[basic].Ecx) = amd ? (0x68747541u, 0x69746E65u, 0x444D4163u) : (0x756E6547u, 0x49656E69u, 0x6C65746Eu);
        e.M.Processor.Cpuid.SetEntries(table);
        e.Handler(1, "49FFC0814C24100000010048CF"); // inc r8; RF in the flags to return to; iretq
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        e.S->Dr[0] = Origin + 2;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x401));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((Origin + 4, (ulong)times), (e.S->Rip, e.S->Gpr[8]));
    }
}
