using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Interprocessor interrupts from the xAPIC page [SDM3 10.6].</summary>
public sealed class LapicIcrTests
{
    private readonly ApicRig _rig = new([0, 1, 2]);

    [Theory]
    [InlineData(0x02, 0x4045u, new uint[] { 2 })]
    [InlineData(0x07, 0x4045u, new uint[0])]
    [InlineData(0xFF, 0x4045u, new uint[] { 0, 1, 2 })]
    [InlineData(0x00, 0x0004_4045u, new uint[] { 0 })]
    [InlineData(0x00, 0x0008_4045u, new uint[] { 0, 1, 2 })]
    [InlineData(0x00, 0x000C_4045u, new uint[] { 1, 2 })]
    public void Destination_and_shorthand_choose_the_receivers(byte destination, uint icr, uint[] receivers)
    {
        Send(destination, icr);
        Assert.Equal(receivers, _rig.Receivers(0x45));
    }

    [Theory]
    [InlineData(0x4200u, "SMI")]
    [InlineData(0x4400u, "NMI")]
    [InlineData(0x4500u, "INIT")]
    [InlineData(0xC500u, "INIT")]
    [InlineData(0x469Au, "SIPI 9A")]
    public void Every_mode_that_needs_no_vector_table_reaches_the_processor(uint icr, string expected)
    {
        Send(1, icr);
        Assert.Equal([expected], _rig.HostOf(1).Events);
        Assert.Empty(_rig.HostOf(2).Events);
    }

    [Fact]
    public void INIT_level_deassert_does_nothing()
    {
        // [SDM3 10.6.1]: not supported by Pentium 4 and later.
        Send(1, 0x8500);
        Assert.Empty(_rig.HostOf(1).Events);
    }

    [Fact]
    public void SMI_with_the_self_shorthand_reaches_the_sender()
    {
        // Not a combination of [SDM3 Table 10-3], but KVM delivers it and tests of SMM rely on it.
        Send(0, 0x0004_4200);
        Assert.Equal(["SMI"], _rig.Host.Events);
    }

    [Theory]
    [InlineData(0x4300u)]
    [InlineData(0x4745u)]
    public void Reserved_modes_send_nothing(uint icr)
    {
        Send(1, icr);
        Assert.Empty(_rig.HostOf(1).Events);
        Assert.False(_rig[1].HasInterrupt);
    }

    [Fact]
    public void A_fixed_IPI_is_an_edge_whatever_its_trigger_bit_says()
    {
        Send(1, 0xC045);
        Assert.Equal(0u, _rig[1].ReadXApic(LapicRegister.Tmr + 0x20));
        Send(2, 0x8045);
        Assert.True(_rig[2].HasInterrupt);
    }

    [Fact]
    public void The_register_reads_back_idle()
    {
        Send(1, 0x5045);
        Assert.Equal(0x4045u, _rig.Lapic.ReadXApic(LapicRegister.IcrLow));
        Assert.Equal(0x0100_0000u, _rig.Lapic.ReadXApic(LapicRegister.IcrHigh));
    }

    [Fact]
    public void Writing_the_upper_half_sends_nothing()
    {
        Send(1, 0x4045);
        _rig[1].AcknowledgeInterrupt();
        _rig[1].EndOfInterrupt();
        _rig.Lapic.WriteXApic(LapicRegister.IcrHigh, 0x0100_0000);
        Assert.False(_rig[1].HasInterrupt);
    }

    private void Send(byte destination, uint icr)
    {
        _rig.Lapic.WriteXApic(LapicRegister.IcrHigh, (uint)destination << 24);
        _rig.Lapic.WriteXApic(LapicRegister.IcrLow, icr);
    }
}
