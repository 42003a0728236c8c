using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The error status register and interrupt [SDM3 10.5.3].</summary>
public sealed class LapicErrorTests
{
    private readonly ApicRig _rig = new([0, 1]);

    private Lapic Lapic => _rig.Lapic;

    [Fact]
    public void Sending_an_illegal_vector_sets_bit_5_and_sends_nothing()
    {
        Lapic.WriteXApic(LapicRegister.IcrHigh, 0x0100_0000);
        Lapic.WriteXApic(LapicRegister.IcrLow, 0x400F);
        Assert.Equal(0x20u, Errors(Lapic));
        Assert.Equal(0u, Errors(_rig[1]));
    }

    [Fact]
    public void Receiving_an_illegal_vector_sets_bit_6()
    {
        _rig.Interrupt(0x0F, id: 1);
        Assert.Equal(0x40u, Errors(_rig[1]));
        Assert.False(_rig[1].HasInterrupt);
    }

    [Theory]
    [InlineData(0x000)]
    [InlineData(0x070)]
    [InlineData(0x2E0)]
    [InlineData(0x3F0)]
    [InlineData(0xFF0)]
    public void Touching_a_reserved_register_sets_bit_7(int register)
    {
        Lapic.ReadXApic(register);
        Assert.Equal(0x80u, Errors(Lapic));
        Lapic.WriteXApic(register, 0);
        Assert.Equal(0x80u, Errors(Lapic));
    }

    [Fact]
    public void The_register_shows_what_was_gathered_when_it_was_written()
    {
        Lapic.ReadXApic(0);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Esr));
        Lapic.WriteXApic(LapicRegister.Esr, 0);
        Assert.Equal(0x80u, Lapic.ReadXApic(LapicRegister.Esr));
        Lapic.WriteXApic(LapicRegister.Esr, 0);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Esr));
    }

    [Fact]
    public void The_first_error_interrupts_and_a_write_arms_it_again()
    {
        Lapic.WriteXApic(LapicRegister.LvtError, 0xFE);
        Lapic.ReadXApic(0);
        Assert.Equal(0xFE, Lapic.AcknowledgeInterrupt());
        Lapic.EndOfInterrupt();
        Lapic.ReadXApic(0);
        Assert.False(Lapic.HasInterrupt);
        Lapic.WriteXApic(LapicRegister.Esr, 0);
        Lapic.ReadXApic(0);
        Assert.True(Lapic.HasInterrupt);
    }

    private static uint Errors(Lapic lapic)
    {
        lapic.WriteXApic(LapicRegister.Esr, 0);
        return lapic.ReadXApic(LapicRegister.Esr);
    }
}
