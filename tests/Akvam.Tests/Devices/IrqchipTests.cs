using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The controllers together: 8259 through LINT0, ports and addresses, the timer.</summary>
public sealed class IrqchipTests
{
    private readonly IrqRig _rig = new([0, 1]);

    public IrqchipTests()
    {
        _rig.InitPic();
        _rig.Apics.Host.Events.Clear();
    }

    private Irqchip Chip => _rig.Chip;

    [Fact]
    public void INTR_reaches_only_the_processor_with_an_open_LINT0()
    {
        Chip.Router.SetLine(1, IrqSource.User, level: true);
        Assert.Equal(["EXTINT"], _rig.Apics.Host.Events);
        Assert.True(Chip.HasExtInt(_rig.Lapic));
        Assert.Empty(_rig.Apics.HostOf(1).Events);
        Assert.False(Chip.HasExtInt(_rig.Apics[1]));
    }

    [Fact]
    public void The_8259_comes_before_the_local_APIC()
    {
        _rig.Apics.Interrupt(0xF0);
        Chip.Router.SetLine(1, IrqSource.User, level: true);
        Assert.Equal(0x21, Chip.AcknowledgeInterrupt(_rig.Lapic));
        Assert.Equal(0xF0, Chip.AcknowledgeInterrupt(_rig.Lapic));
        Assert.Equal(-1, Chip.AcknowledgeInterrupt(_rig.Lapic));
    }

    [Fact]
    public void Opening_LINT0_with_INTR_high_tells_the_processor()
    {
        _rig.Lapic.WriteXApic(LapicRegister.LvtLint0, 0x10700);
        Chip.Router.SetLine(1, IrqSource.User, level: true);
        Assert.False(Chip.HasInterrupt(_rig.Lapic));
        Assert.Empty(_rig.Apics.Host.Events);
        _rig.Lapic.WriteXApic(LapicRegister.LvtLint0, 0x700);
        Assert.Equal(["EXTINT"], _rig.Apics.Host.Events);
        Assert.True(Chip.HasInterrupt(_rig.Lapic));
    }

    [Fact]
    public void An_ExtINT_message_makes_one_acknowledge_cycle()
    {
        _rig.Lapic.WriteXApic(LapicRegister.LvtLint0, 0x10700);
        Chip.Router.SetLine(1, IrqSource.User, level: true);
        Chip.Bus.Send(new MsiMessage(0xFEE0_0000, 0, 0x700));
        Assert.Equal(0x21, Chip.AcknowledgeInterrupt(_rig.Lapic));
        Assert.False(Chip.HasInterrupt(_rig.Lapic));
    }

    [Theory]
    [InlineData(0x20, true)]
    [InlineData(0xA1, true)]
    [InlineData(0x4D1, true)]
    [InlineData(0x40, false)]
    [InlineData(0x61, false)]
    [InlineData(0x22, false)]
    public void Ports_without_a_device_are_left_to_others(int port, bool owned)
    {
        byte[] data = [0xCC];
        Assert.Equal(owned, Chip.TryReadPort((ushort)port, data));
        Assert.Equal(owned, Chip.TryWritePort((ushort)port, data));
    }

    [Fact]
    public void A_wide_port_access_is_a_narrow_one()
    {
        byte[] data = [0xCC, 0xCC];
        Chip.TryWritePort(0x21, [0x5A, 0xFF]);
        Chip.TryReadPort(0x21, data);
        Assert.Equal([0x5A, 0], data);
    }

    [Fact]
    public void The_IOAPIC_window_follows_its_base()
    {
        byte[] data = new byte[4];
        Assert.True(Chip.TryWriteMmio(0xFEC0_0000, [1, 0, 0, 0]));
        Assert.True(Chip.TryReadMmio(0xFEC0_0010, data));
        Assert.Equal([0x11, 0, 0x17, 0], data);
        Assert.False(Chip.TryReadMmio(0xFEC0_0100, data));
        Assert.False(Chip.TryReadMmio(0xFEBF_FFFF, data));
        Chip.Ioapic.BaseAddress = 0xFED0_0000;
        Assert.False(Chip.TryWriteMmio(0xFEC0_0000, data));
        Assert.True(Chip.TryReadMmio(0xFED0_0000, data));
    }

    [Fact]
    public void There_is_one_timer()
    {
        Assert.NotNull(Chip.CreatePit(_rig.Apics.Time, _rig.Apics.Time, hasSpeakerPort: true));
        Assert.Null(Chip.CreatePit(_rig.Apics.Time, _rig.Apics.Time, hasSpeakerPort: true));
    }

    [Fact]
    public void The_speaker_port_is_optional()
    {
        Chip.CreatePit(_rig.Apics.Time, _rig.Apics.Time, hasSpeakerPort: false);
        Assert.True(Chip.TryReadPort(0x40, new byte[1]));
        Assert.False(Chip.TryReadPort(0x61, new byte[1]));
    }

    [Fact]
    public void The_timer_interrupts_on_GSI_0()
    {
        StartPit();
        _rig.Apics.Time.Advance(1_100_000);
        Assert.Equal(0x20, Chip.AcknowledgeInterrupt(_rig.Lapic));
    }

    [Fact]
    public void The_timer_reaches_a_LINT0_that_is_an_NMI()
    {
        _rig.Apics[1].WriteXApic(LapicRegister.LvtLint0, 0x400);
        StartPit();
        _rig.Apics.Time.Advance(1_100_000);
        Assert.Equal(["NMI"], _rig.Apics.HostOf(1).Events);
    }

    [Fact]
    public void Missed_timer_interrupts_are_injected_after_each_EOI()
    {
        StartPit();
        _rig.Apics.Time.Advance(5_100_000);
        Assert.Equal(5, CountTicks());
    }

    [Fact]
    public void Without_reinjection_missed_timer_interrupts_are_gone()
    {
        StartPit();
        Chip.Pit!.Reinject = false;
        _rig.Apics.Time.Advance(5_100_000);
        Assert.Equal(1, CountTicks());
    }

    [Fact]
    public void What_a_masked_timer_missed_is_not_owed()
    {
        StartPit();
        Chip.Pic.WritePort(0x21, 0x01);
        _rig.Apics.Time.Advance(5_100_000);
        Chip.Pic.WritePort(0x20, 0x11);
        Chip.Pic.WritePort(0x21, 0x20);
        Chip.Pic.WritePort(0x21, 0x04);
        Chip.Pic.WritePort(0x21, 0x01);
        _rig.Apics.Time.Advance(1_000_000);
        Assert.Equal(1, CountTicks());
    }

    /// <summary>A tick every millisecond.</summary>
    private void StartPit()
    {
        Chip.CreatePit(_rig.Apics.Time, _rig.Apics.Time, hasSpeakerPort: true);
        Chip.TryWritePort(0x43, [0x34]);
        Chip.TryWritePort(0x40, [1193 & 0xFF]);
        Chip.TryWritePort(0x40, [1193 >> 8]);
    }

    private int CountTicks()
    {
        int ticks = 0;
        while (Chip.AcknowledgeInterrupt(_rig.Lapic) == 0x20)
        {
            ticks++;
            Chip.TryWritePort(0x20, [0x20]);
        }

        return ticks;
    }
}
