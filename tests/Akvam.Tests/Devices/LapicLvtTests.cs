using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The local vector table and the LINT pins [SDM3 10.5.1].</summary>
public sealed class LapicLvtTests
{
    private readonly ApicRig _rig = new();

    public LapicLvtTests()
    {
        Lapic.CmciAvailable = true;
    }

    private Lapic Lapic => _rig.Lapic;

    [Theory]
    [InlineData(LapicLvt.Cmci)]
    [InlineData(LapicLvt.Thermal)]
    [InlineData(LapicLvt.Pmc)]
    [InlineData(LapicLvt.Lint0)]
    [InlineData(LapicLvt.Lint1)]
    public void An_entry_delivers_its_vector(LapicLvt lvt)
    {
        Lapic.WriteXApic((int)lvt, 0x55);
        Assert.True(Lapic.DeliverLvt(lvt));
        Assert.Equal(0x55, Lapic.PendingVector);
    }

    [Theory]
    [InlineData(LapicLvt.Cmci)]
    [InlineData(LapicLvt.Thermal)]
    [InlineData(LapicLvt.Lint1)]
    public void A_masked_entry_delivers_nothing(LapicLvt lvt)
    {
        Lapic.WriteXApic((int)lvt, 0x10055);
        Assert.False(Lapic.DeliverLvt(lvt));
        Assert.False(Lapic.HasInterrupt);
    }

    [Theory]
    [InlineData(0x200u, "SMI")]
    [InlineData(0x400u, "NMI")]
    [InlineData(0x500u, "INIT")]
    [InlineData(0x700u, "EXTINT")]
    public void LINT1_delivers_in_every_mode(uint entry, string expected)
    {
        Lapic.WriteXApic(LapicRegister.LvtLint1, entry);
        Lapic.SetLint(1, asserted: true);
        Assert.Equal([expected], _rig.Host.Events);
    }

    [Fact]
    public void The_counter_entry_masks_itself()
    {
        Lapic.WriteXApic(LapicRegister.LvtPmc, 0x400);
        Lapic.DeliverLvt(LapicLvt.Pmc);
        Lapic.DeliverLvt(LapicLvt.Pmc);
        Assert.Equal(["NMI"], _rig.Host.Events);
        Assert.Equal(0x10400u, Lapic.ReadXApic(LapicRegister.LvtPmc));
    }

    [Fact]
    public void An_edge_pin_delivers_on_the_rise_only()
    {
        Lapic.WriteXApic(LapicRegister.LvtLint0, 0x45);
        Lapic.SetLint(0, asserted: true);
        Lapic.AcknowledgeInterrupt();
        Lapic.EndOfInterrupt();
        Lapic.SetLint(0, asserted: true);
        Assert.False(Lapic.HasInterrupt);
        Lapic.SetLint(0, asserted: false);
        Assert.False(Lapic.HasInterrupt);
        Lapic.SetLint(0, asserted: true);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void A_level_pin_delivers_again_at_EOI_while_it_is_high()
    {
        Lapic.WriteXApic(LapicRegister.LvtLint0, 0x8045);
        Lapic.SetLint(0, asserted: true);
        Assert.Equal(0xC045u, Lapic.ReadXApic(LapicRegister.LvtLint0));
        Lapic.AcknowledgeInterrupt();
        Lapic.EndOfInterrupt();
        Assert.Equal(0x45, Lapic.AcknowledgeInterrupt());
        Lapic.SetLint(0, asserted: false);
        Lapic.EndOfInterrupt();
        Assert.False(Lapic.HasInterrupt);
        Assert.Equal(0x8045u, Lapic.ReadXApic(LapicRegister.LvtLint0));
    }

    [Fact]
    public void Unmasking_a_level_entry_with_its_pin_high_delivers()
    {
        Lapic.WriteXApic(LapicRegister.LvtLint0, 0x18045);
        Lapic.SetLint(0, asserted: true);
        Assert.False(Lapic.HasInterrupt);
        Lapic.WriteXApic(LapicRegister.LvtLint0, 0x8045);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void A_local_interrupt_with_an_illegal_vector_is_an_error()
    {
        Lapic.WriteXApic(LapicRegister.LvtThermal, 0x0F);
        Assert.False(Lapic.DeliverLvt(LapicLvt.Thermal));
        Lapic.WriteXApic(LapicRegister.Esr, 0);
        Assert.Equal(0x40u, Lapic.ReadXApic(LapicRegister.Esr));
    }
}
