using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>Single step, breakpoints, DR6 and DR7. [SDM3 18.2] [SDM3 18.3] [APM2 13.1]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class DebugTests
{
    private const ulong Origin = EventMachine.Origin, Watched = 0x2_0000;

    [Theory]
    [InlineData("90909090", "1 2 3")]
    [InlineData("8ED0909090", "3 4 5")]
    [InlineData("F3AA9090", "0 0 2")]
    [InlineData("EB02909090", "4 5")]
    [InlineData("0FA29090", "2 3 4")]
    [InlineData("9C9DFFC0", "1 2 4")]
    [InlineData("5B539D90", "1 2 3")]
    [InlineData("E80000000090", "5 6")]
    [InlineData("0F20D890", "3 4")]
    public void A_trap_follows_each_instruction(string code, string stops)
    {
        using var e = new EventMachine(code + "9090909090");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        e.S->Gpr[Register.Rcx] = 3;
        e.S->Gpr[Register.Rdi] = Watched;
        *(ulong*)(e.M.Ram + 0x7000) = 2;
        e.Flags = Rflags.TF;
        var seen = new List<ulong>();
        foreach (string _ in stops.Split(' '))
        {
            Assert.Equal(RunResult.Debug, e.Run(20));
            Assert.Equal((Vector.DB, 0x4000ul), (e.S->Fault.Vector, e.S->Fault.Payload));
            seen.Add(e.S->Rip - Origin);
        }

        Assert.Equal(stops, string.Join(' ', seen));
        if (code.StartsWith("5B539D", StringComparison.Ordinal))
        {
            Assert.Equal(RunResult.Limit, e.Run(3));
        }
    }

    [Fact]
    public void Popf_and_iret_that_set_tf_trap_after_the_next_instruction()
    {
        foreach (bool iret in new[] { false, true })
        {
            using var e = new EventMachine(iret ? "48CF9090" : "9D909090");
            e.M.Processor.InterceptedExceptions = uint.MaxValue;
            ulong* stack = (ulong*)(e.M.Ram + 0x7000);
            if (iret)
            {
                (stack[0], stack[1], stack[2], stack[3], stack[4]) = (Origin + 2, ModeSetup.Code64, Rflags.TF | 2, 0x7000, ModeSetup.Data);
            }
            else
            {
                stack[0] = Rflags.TF | 2;
            }

            Assert.Equal(RunResult.Debug, e.Run(20));
            Assert.Equal((Origin + (iret ? 3ul : 2), 2ul), (e.S->Rip, e.S->Retired));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Syscall_traps_unless_its_mask_clears_tf(bool masked)
    {
        using var e = new EventMachine("0F05");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.M.Memory[0x1_0000] = e.M.Memory[0x1_0001] = 0x90;
        e.S->Efer |= Efer.SCE;
        e.S->Star = (ulong)ModeSetup.Code64 << 32;
        e.S->Lstar = 0x1_0000;
        e.S->Sfmask = masked ? Rflags.TF : 0;
        e.Flags = Rflags.TF;
        RunResult result = e.Run(2);
        Assert.Equal(masked ? RunResult.Limit : RunResult.Debug, result);
        Assert.Equal(masked ? 0x1_0001ul : 0x1_0000, e.S->Rip);
    }

    [Fact]
    public void Software_interrupts_and_faults_leave_no_trap()
    {
        foreach (string code in new[] { "CD40", "CC", "0F0B" })
        {
            using var e = new EventMachine(code);
            e.Flags = Rflags.TF;
            Assert.Equal(RunResult.Halted, e.Run(5));
            Assert.Equal(code switch { "CD40" => 0x40, "CC" => 3, _ => 6 }, e.StoppedIn);
            Assert.Equal(Rflags.TF, e.Slot(2) & Rflags.TF);
            Assert.Equal(0ul, e.S->Dr6 & 0x4000);
            Assert.Equal(0ul, e.Flags & Rflags.TF);
        }
    }

    [Fact]
    public void An_instruction_breakpoint_is_a_fault_and_rf_passes_it_once()
    {
        using var e = new EventMachine("909090EBFB");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Dr[1] = Origin + 1;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x404));
        Assert.Equal(RunResult.Debug, e.Run(20));
        Assert.Equal((Origin + 1, 2ul, 1ul), (e.S->Rip, e.S->Fault.Payload, e.S->Retired));
        Assert.Equal(RunResult.Debug, e.Run(20));
        Assert.Equal(1ul, e.S->Retired);
        e.Flags |= Rflags.RF;
        Assert.Equal(RunResult.Debug, e.Run(20));
        Assert.Equal((Origin + 1, 0ul), (e.S->Rip, e.Flags & Rflags.RF));
        Assert.Equal(5ul, e.S->Retired);
    }

    [Fact]
    public void A_delivered_breakpoint_reports_itself_in_dr6()
    {
        using var e = new EventMachine("9090");
        e.S->Dr[0] = Origin + 1;
        e.S->Dr6 = 0xFFFF_0FF0 | 0x400F;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x401));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((1, Origin + 1, 0ul), (e.StoppedIn, e.Slot(0), e.Slot(2) & Rflags.RF));
        Assert.Equal(0x4001ul, e.S->Dr6 & 0xE00F);
    }

    [Theory]
    [InlineData("8907", 0xD_0000, 0, 4, true)]
    [InlineData("8B07", 0xD_0000, 0, 4, false)]
    [InlineData("8B07", 0xF_0000, 0, 4, true)]
    [InlineData("8807", 0xD_0000, 3, 1, true)]
    [InlineData("8807", 0xD_0000, 4, 1, false)]
    [InlineData("8907", 0xD_0000, -3, 4, true)]
    [InlineData("8907", 0xD_0000, -4, 4, false)]
    [InlineData("488907", 0xD_0000, -4, 8, true)]
    [InlineData("8907", 0x1_0000, 0, 4, true)]
    [InlineData("8807", 0x1_0000, 1, 1, false)]
    [InlineData("FF07", 0xD_0000, 0, 4, true)]
    [InlineData("8B07", 0x9_0000, 7, 1, false)]
    [InlineData("8807", 0x9_0000, 7, 1, true)]
    [InlineData("AA", 0xD_0000, 0, 1, true)]
    [InlineData("57", 0xD_0000, 0, 0, false)]
    public void A_data_breakpoint_traps_after_the_access(string code, int type, int distance, int size, bool hits)
    {
        using var e = new EventMachine(code + "90");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Gpr[Register.Rdi] = Watched + (ulong)(long)distance;
        e.S->Gpr[Register.Rax] = 0x5555_5555;
        e.S->Dr[0] = Watched;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x401 | (ulong)type));
        Assert.Equal(hits ? RunResult.Debug : RunResult.Limit, e.Run(1) is var r && r == RunResult.Limit && hits ? e.Run(1) : r);
        Assert.Equal(Origin + (ulong)(code.Length / 2), e.S->Rip);
        Assert.True(!hits || (e.S->Fault.Vector == Vector.DB && e.S->Fault.Payload == 1), $"{e.S->Fault.Payload:x} size {size}");
    }

    [Fact]
    public void An_access_that_faults_does_not_hit()
    {
        using var e = new EventMachine("8907");
        e.S->Gpr[Register.Rdi] = 0x7_0000_0000;
        e.S->Dr[0] = 0x7_0000_0000;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0xD_0401));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((14, 0ul, 0u), (e.StoppedIn, e.S->Dr6 & 0xF, e.S->PendingDebug));
    }

    [Fact]
    public void A_repeated_store_traps_after_the_element_that_hits()
    {
        using var e = new EventMachine("F3AAF4");
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Gpr[Register.Rdi] = Watched - 5;
        e.S->Gpr[Register.Rcx] = 10;
        e.S->Dr[3] = Watched;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x1000_0440));
        Assert.Equal(RunResult.Debug, e.Run());
        Assert.Equal((8ul, 4ul, Origin), (e.S->Fault.Payload, e.S->Gpr[Register.Rcx], e.S->Rip));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal(0ul, e.S->Gpr[Register.Rcx]);
    }

    [Fact]
    public void Io_breakpoints_need_cr4_de()
    {
        foreach (bool de in new[] { false, true })
        {
            using var e = new EventMachine("E68090");
            e.M.Bus.PortWrite = (_, _) => true;
            e.M.Processor.InterceptedExceptions = uint.MaxValue;
            e.S->Cr4 |= de ? Cr4.DE : 0;
            e.S->Dr[2] = 0x80;
            Assert.True(ControlRegisters.TrySetDr7(e.S, 0x0200_0410));
            Assert.Equal(de ? RunResult.Debug : RunResult.Limit, e.Run(2));
            Assert.True(!de || (e.S->Fault.Payload == 4 && e.S->Rip == Origin + 2));
        }
    }

    [Fact]
    public void General_detect_guards_the_debug_registers()
    {
        using var e = new EventMachine("0F21C0");
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x2400));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((1, Origin), (e.StoppedIn, e.Slot(0)));
        Assert.Equal((0x2000ul, 0x400ul), (e.S->Dr6 & 0xE00F, e.S->Dr7));
    }

    [Fact]
    public void The_trap_of_mov_ss_waits_for_the_next_instruction()
    {
        using var e = new EventMachine("8E17CD40");
        e.S->Gpr[Register.Rdi] = Watched;
        *(ushort*)(e.M.Ram + Watched) = ModeSetup.Data;
        e.S->Dr[0] = Watched;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x3_0401));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((1, ModeSetup.Handlers + 0x40, Origin + 4), (e.StoppedIn, e.Slot(0), e.Slot(6)));
        Assert.Equal(1ul, e.S->Dr6 & 0xF);
    }

    [Fact]
    public void Breakpoints_use_the_linear_address()
    {
        using var e = new EventMachine("90909090", GuestMode.Protected32);
        e.M.Processor.InterceptedExceptions = uint.MaxValue;
        e.S->Cs.Base = 0xFFFF_F000;
        Processor.UpdateMode(e.S);
        e.S->Rip = Origin + 0x1000;
        e.S->Dr[0] = Origin + 2;
        Assert.True(ControlRegisters.TrySetDr7(e.S, 0x401));
        Assert.Equal(RunResult.Debug, e.Run(20));
        Assert.Equal(Origin + 0x1002, e.S->Rip);
    }
}
