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
    public void Seed_0_14_case_1_NMI_SMI_RSM_NMI_stays_blocked()
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
    public void Seed_0_15_case_2_NMI_SMI_IRET_RSM_restores_the_recorded_mask(ProcessorQuirks quirks, int blocked)
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

    [Fact]
    public void Seed_0_17_case_3_NMI_taken_inside_SMM_does_not_block_after_RSM()
    {
        using SmmMachine m = Machine(insideNmi: false);
        m.EnterSmm();
        m.S->NmiMasked = 1;
        m.Run(1);
        Assert.Equal(0, m.S->NmiMasked);
    }

    [Fact]
    public void Seed_0_13_case_4_an_NMI_latched_in_SMM_is_served_right_after_RSM()
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
    public void Seed_0_5_case_5_an_NMI_latched_in_SMM_waits_for_the_first_ones_IRET()
    {
        using SmmMachine m = Machine(insideNmi: true);
        m.EnterSmm();
        m.S->NmiPending = 1;
        m.Run(4);
        Assert.Equal(1, m.S->NmiPending);
        Assert.Equal(SmmMachine.Rip + 3, m.S->Rip);
    }
}
