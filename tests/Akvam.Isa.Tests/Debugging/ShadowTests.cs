using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Debugging;

/// <summary>Interrupt shadows, NMI masking, priorities, wake-up. [SDM3 6.8] [SDM3 6.9] [APM2 8.5]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class ShadowTests
{
    private const ulong Origin = EventMachine.Origin;

    [Theory]
    [InlineData("FB909090", 2)]
    [InlineData("FBFB9090", 2)]
    [InlineData("FB8ED09090", 4)]
    [InlineData("FBFA90F4", -1)]
    [InlineData("FBF4", 2)]
    [InlineData("FBEB00", 3)]
    [InlineData("FB0FA29090", 3)]
    public void An_interrupt_comes_one_instruction_after_sti(string code, int offset)
    {
        using var e = new EventMachine(code + "F4");
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        e.M.Bus.Interrupts.Enqueue(0x40);
        RunResult result = e.Run();
        if (offset < 0)
        {
            Assert.Equal((RunResult.Halted, Origin + 4), (result, e.S->Rip));
            Assert.NotEmpty(e.M.Bus.Interrupts);
            return;
        }

        result = result == RunResult.Halted && e.StoppedIn != 0x40 ? e.Run() : result;
        Assert.Equal((RunResult.Halted, 0x40, Origin + (ulong)offset), (result, e.StoppedIn, e.Slot(0)));
    }

    [Theory]
    [InlineData("FB9090", 1, 2)]
    [InlineData("8ED09090", 1, 3)]
    [InlineData("90909090", 1, 1)]
    public void An_nmi_waits_for_the_end_of_a_shadow_too(string code, int before, int offset)
    {
        using var e = new EventMachine(code);
        e.S->Gpr[Register.Rax] = ModeSetup.Data;
        Assert.Equal(RunResult.Limit, e.Run((ulong)before));
        e.S->NmiPending = 1;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((2, Origin + (ulong)offset), (e.StoppedIn, e.Slot(0)));
        Assert.Equal(1, e.S->NmiMasked);
    }

    [Fact]
    public void Nmis_are_masked_until_iret()
    {
        using var e = new EventMachine("49FFC1F4");
        e.Handler(2, "49FFC04D89CA48CF");
        e.S->NmiPending = 2;
        Assert.Equal(RunResult.Limit, e.Run(1));
        Assert.Equal((1, 1, 1ul), (e.S->NmiPending, e.S->NmiMasked, e.S->Gpr[8]));
        Assert.Equal(RunResult.Limit, e.Run(2));
        Assert.Equal((0, 1, EventMachine.HandlerOf(2), Origin), (e.S->NmiPending, e.S->NmiMasked, e.S->Rip, e.Slot(0)));
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((2ul, 1ul, 0ul), (e.S->Gpr[8], e.S->Gpr[9], e.S->Gpr[10]));
        Assert.Equal((0, 0), (e.S->NmiPending, e.S->NmiMasked));
    }

    [Fact]
    public void A_fault_inside_the_nmi_handler_does_not_unmask_but_its_iret_does()
    {
        using var e = new EventMachine("F4");
        e.Handler(2, "0F0B");
        e.Handler(6, "4883042402" + "48CF");
        e.M.Memory[(int)EventMachine.HandlerOf(2) + 2] = 0xF4;
        e.S->NmiPending = 2;
        Assert.Equal(RunResult.Limit, e.Run(1));
        Assert.Equal(1, e.S->NmiMasked);
        Assert.Equal(RunResult.Limit, e.Run(1));

        Assert.Equal(RunResult.Limit, e.Run(1));
        Assert.Equal((EventMachine.HandlerOf(2), EventMachine.HandlerOf(2) + 2, 0), (e.S->Rip, e.Slot(0), e.S->NmiPending));
    }

    [Fact]
    public void A_debug_trap_comes_before_an_nmi_and_that_before_an_interrupt()
    {
        using var e = new EventMachine("9090F4");
        e.Flags = Rflags.TF | Rflags.IF;
        e.S->Shadow = InterruptShadow.Sti;
        e.S->NmiPending = 1;
        e.M.Bus.Interrupts.Enqueue(0x40);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((2, ModeSetup.Handlers + 1), (e.StoppedIn, e.Slot(0)));
        Assert.Equal(Origin + 1, e.Slot(6));
        Assert.NotEmpty(e.M.Bus.Interrupts);
        Assert.Equal(0x4000ul, e.S->Dr6 & 0xE00F);
    }

    [Fact]
    public void An_interrupt_follows_an_nmi_at_once_when_its_gate_leaves_them_on()
    {
        using var e = new EventMachine("90F4");
        e.Handler(2, "49FFC0F4", trapGate: true);
        e.Flags = Rflags.IF;
        e.S->NmiPending = 1;
        e.M.Bus.Interrupts.Enqueue(0x40);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((0x40, EventMachine.HandlerOf(2), 0ul), (e.StoppedIn, e.Slot(0), e.S->Gpr[8]));
    }

    [Fact]
    public void Interrupts_nest_at_once_through_trap_gates()
    {
        using var e = new EventMachine("90F4");
        e.Handler(0x40, "49FFC0F4", trapGate: true);
        e.Flags = Rflags.IF;
        e.M.Bus.Interrupts.Enqueue(0x40);
        e.M.Bus.Interrupts.Enqueue(0x50);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((0x50, EventMachine.HandlerOf(0x40), 0ul), (e.StoppedIn, e.Slot(0), e.S->Gpr[8]));
    }

    [Fact]
    public void Hlt_wakes_up_for_what_may_be_delivered()
    {
        using var e = new EventMachine("F49090");
        Assert.Equal(RunResult.Halted, e.Run());
        e.M.Bus.Interrupts.Enqueue(0x40);
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal(Origin + 1, e.S->Rip);
        e.Flags = Rflags.IF;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((0x40, Origin + 1), (e.StoppedIn, e.Slot(0)));
        e.S->NmiPending = 1;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((2, ModeSetup.Handlers + 0x41), (e.StoppedIn, e.Slot(0)));
    }

    [Fact]
    public void Init_and_sipi_start_an_application_processor()
    {
        using var e = new EventMachine("F4");
        e.M.Processor.IsBootstrap = false;
        e.M.Memory[0x1_2000] = 0x90;
        e.M.Memory[0x1_2001] = 0xF4;
        e.S->SipiPending = 1;
        e.S->SipiVector = 0x12;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((Origin + 1, (byte)0), (e.S->Rip, e.S->SipiPending));
        e.S->InitPending = 1;
        Assert.Equal(RunResult.Waiting, e.Run());
        Assert.Equal((Activity.InitReceived, 0xFFF0ul, (byte)0), (e.S->Activity, e.S->Rip, e.S->InitPending));
        e.S->NmiPending = 1;
        Assert.Equal(RunResult.Waiting, e.Run());
        e.S->NmiPending = 0;
        e.S->SipiPending = 1;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((0x1200, 0x1_2000ul, 2ul), (e.S->Cs.Selector, e.S->Cs.Base, e.S->Rip));

        e.S->InitPending = e.S->SipiPending = 1;
        Assert.Equal(RunResult.Halted, e.Run());
        Assert.Equal((0x1200, 2ul), (e.S->Cs.Selector, e.S->Rip));
    }

    [Fact]
    public void Faults_during_deliveries_escalate_to_shutdown()
    {
        using (var e = new EventMachine("0F0B"))
        {
            e.S->IdtLimit = 0;
            Assert.Equal(RunResult.Shutdown, e.Run());
        }

        using (var e = new EventMachine("0F0B"))
        {
            ((ulong*)(e.M.Ram + ModeSetup.Idt))[12] &= ~(1ul << 47);
            Assert.Equal(RunResult.Halted, e.Run());
            Assert.Equal((11, (6ul * 8) + 3, Origin), (e.StoppedIn, e.Slot(0), e.Slot(1)));
        }

        using (var e = new EventMachine("0F22E0"))
        {
            e.S->Gpr[Register.Rax] = ulong.MaxValue;
            ((ulong*)(e.M.Ram + ModeSetup.Idt))[26] &= ~(1ul << 47);
            Assert.Equal(RunResult.Halted, e.Run());
            Assert.Equal((8, 0ul, Origin), (e.StoppedIn, e.Slot(0), e.Slot(1)));
        }

        using (var e = new EventMachine("0F22E0"))
        {
            e.S->Gpr[Register.Rax] = ulong.MaxValue;
            ((ulong*)(e.M.Ram + ModeSetup.Idt))[26] &= ~(1ul << 47);
            ((ulong*)(e.M.Ram + ModeSetup.Idt))[16] &= ~(1ul << 47);
            Assert.Equal(RunResult.Shutdown, e.Run());
        }

        using (var e = new EventMachine("8A07"))
        {
            e.S->Gpr[Register.Rdi] = 0x7_0000_0000;
            e.S->Gpr[Register.Rsp] = 0x8_0000_0000;
            Assert.Equal(RunResult.Shutdown, e.Run());
            Assert.Equal(0x7_FFFF_Ful, e.S->Cr2 >> 12);
        }
    }

    [Fact]
    public void A_kick_from_another_thread_ends_an_endless_loop()
    {
        using var e = new EventMachine("EBFE");
        Processor p = e.M.Processor;
        var thread = new Thread(() =>
        {
            Thread.Sleep(20);
            Processor.Post(p.State, Request.Kick);
        });
        thread.Start();
        Assert.Equal(RunResult.Kicked, e.Run(ulong.MaxValue));
        thread.Join();
        Assert.Equal(Origin, e.S->Rip);
    }
}
