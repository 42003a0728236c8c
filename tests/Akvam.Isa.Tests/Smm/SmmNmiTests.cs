using Akvam.Cpu;

namespace Akvam.Isa.Tests.Smm;

/// <summary>NMI blocking across SMM: the six sequences of the semantics sheet, AMD's answers.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmNmiTests
{
    /// <summary>pushf; push cs; push 8006h; iret; rsm.</summary>
    private static readonly byte[] s_iretThenRsm = [0x9C, 0x0E, 0x68, 0x06, 0x80, 0xCF, 0x0F, 0xAA];

    private static SmmMachine Machine(bool insideNmi)
    {
        var m = new SmmMachine();
        m.S->NmiMasked = insideNmi ? (byte)1 : (byte)0;
        return m;
    }

    [Fact]
    public void Seed0_14_case_1_NMI_SMI_RSM_NMI_stays_blocked()
    {
        using SmmMachine m = Machine(insideNmi: true);
        m.EnterSmm();
        Assert.Equal(1, m.S->SmmInsideNmi);
        m.Run(1);
        m.S->NmiPending = 1;
        m.Run(3);
        Assert.Equal(1, m.S->NmiMasked);
        Assert.Equal(1, m.S->NmiPending);
        Assert.Equal(SmmMachine.Rip + 3, m.S->Rip);
    }

    [Theory]
    [InlineData(ProcessorQuirks.None, 1)]
    [InlineData(ProcessorQuirks.KvmNmiRsm, 0)]
    public void Seed0_15_case_2_NMI_SMI_IRET_RSM_restores_the_recorded_mask(ProcessorQuirks quirks, int blocked)
    {
        using SmmMachine m = Machine(insideNmi: true);
        m.Inner.Processor.Quirks = quirks;
        m.Handler(s_iretThenRsm);
        m.EnterSmm();
        m.Run(4);
        Assert.Equal(0, m.S->NmiMasked);
        m.Run(1);
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(blocked, m.S->NmiMasked);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void Seed0_13_RSM_unblocks_NMIs_only_if_the_SMI_did_not_interrupt_an_NMI_handler(bool insideNmi, int blocked)
    {
        using SmmMachine m = Machine(insideNmi);
        m.EnterSmm();
        Assert.Equal(1, m.S->NmiMasked);
        m.Run(1);
        Assert.Equal(blocked, m.S->NmiMasked);
        Assert.Equal(0, m.S->SmmInsideNmi);
    }

    [Fact]
    public void Seed0_17_case_3_an_NMI_served_inside_SMM_without_IRET_does_not_block_after_RSM()
    {
        // lidt cs:[8040h]; pushf; push cs; push 800Ch; iret; l: jmp l. The NMI's handler, at 3000:8048, is RSM.
        using SmmMachine m = Machine(insideNmi: false);
        m.Handler(0x2E, 0x0F, 0x01, 0x1E, 0x40, 0x80, 0x9C, 0x0E, 0x68, 0x0C, 0x80, 0xCF, 0xEB, 0xFE);
        new byte[] { 0xFF, 0x03, 0x50, 0x80, 0x03, 0x00, 0x00, 0x00, 0x0F, 0xAA }.CopyTo(m.Smram[0x8040..]);
        new byte[] { 0x48, 0x80, 0x00, 0x30 }.CopyTo(m.Smram[0x8058..]);
        m.EnterSmm();
        m.Run(5);
        Assert.Equal(0, m.S->NmiMasked);
        m.S->NmiPending = 1;
        m.Run(0);
        Assert.Equal(0x8048ul, m.S->Rip);
        Assert.Equal(1, m.S->NmiMasked);
        m.Run(1);
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(SmmMachine.Rip, m.S->Rip);
        m.S->NmiPending = 1;
        Assert.Equal(RunResult.Halted, m.Run(2));
        Assert.Equal(ModeSetup.Handlers + 3, m.S->Rip);
    }

    [Fact]
    public void Seed0_5_case_4_an_NMI_latched_in_SMM_is_served_right_after_RSM()
    {
        using SmmMachine m = Machine(insideNmi: false);
        m.EnterSmm();
        m.S->NmiPending = 1;
        Assert.Equal(RunResult.Halted, m.Run(2));
        Assert.Equal(ModeSetup.Handlers + 2 + 1, m.S->Rip);
        Assert.Equal(0, m.S->NmiPending);
        Assert.Equal(SmmMachine.Rip, *(ushort*)(m.Inner.Ram + 0x7000 - 6));
    }

    [Fact]
    public void Seed0_5_case_5_an_NMI_latched_in_SMM_waits_for_the_first_ones_IRET()
    {
        using SmmMachine m = Machine(insideNmi: true);
        m.EnterSmm();
        m.S->NmiPending = 1;
        m.Run(4);
        Assert.Equal(1, m.S->NmiPending);
        Assert.Equal(SmmMachine.Rip + 3, m.S->Rip);
    }

    [Fact]
    public void Seed0_5_case_6_of_two_NMIs_in_SMM_one_is_served_after_RSM_and_one_after_its_IRET()
    {
        // The NMI's handler is IRET; the second NMI comes when that has ended, and not before.
        using SmmMachine m = Machine(insideNmi: false);
        m.Inner.Memory[(int)ModeSetup.Handlers + 2] = 0xCF;
        m.EnterSmm();
        m.S->NmiPending = 2;
        m.Run(1);
        Assert.Equal(ModeSetup.Handlers + 2, m.S->Rip);
        Assert.Equal(1, m.S->NmiPending);
        Assert.Equal(1, m.S->NmiMasked);
        m.Run(1);
        Assert.Equal(ModeSetup.Handlers + 2, m.S->Rip);
        Assert.Equal(0, m.S->NmiPending);
        m.Run(1);
        Assert.Equal(SmmMachine.Rip, m.S->Rip);
        Assert.Equal(0, m.S->NmiMasked);
    }
}
