using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The I/O APIC [82093AA].</summary>
public sealed class IoapicTests
{
    private const ulong Level = 1 << 15;
    private const ulong RemoteIrr = 1 << 14;
    private const ulong Masked = 1 << 16;

    private readonly IrqRig _rig = new([0, 1]);

    private Ioapic Ioapic => _rig.Ioapic;

    [Fact]
    public void Identification_registers()
    {
        Assert.Equal(0x0017_0011u, _rig.ReadIoapic(1));
        _rig.WriteIoapic(0, 0xFFFF_FFFF);
        Assert.Equal(0x0F00_0000u, _rig.ReadIoapic(0));
        Assert.Equal(0x0F00_0000u, _rig.ReadIoapic(2));
    }

    [Fact]
    public void The_newer_version_is_reported()
    {
        Assert.Equal(0x0017_0020u, new IrqRig(ioapicVersion: Ioapic.VersionWithEoi).ReadIoapic(1));
    }

    [Fact]
    public void Version_and_arbitration_cannot_be_written()
    {
        _rig.WriteIoapic(1, 0);
        _rig.WriteIoapic(2, 0xFF00_0000);
        Assert.Equal(0x0017_0011u, _rig.ReadIoapic(1));
        Assert.Equal(0u, _rig.ReadIoapic(2));
    }

    [Fact]
    public void Every_pin_is_masked_after_reset()
    {
        for (int pin = 0; pin < Ioapic.PinCount; pin++)
        {
            Assert.Equal(Masked, _rig.Entry(pin));
        }
    }

    [Fact]
    public void An_index_past_the_table_reads_ones_and_takes_nothing()
    {
        _rig.WriteIoapic(0x40, 0);
        Assert.Equal(0xFFFF_FFFFu, _rig.ReadIoapic(0x40));
    }

    [Fact]
    public void An_entry_keeps_its_writable_bits_only()
    {
        _rig.Redirect(5, ulong.MaxValue);
        Assert.Equal(0xFFFF_FFFF_0001_AFFFUL, _rig.Entry(5));
    }

    [Fact]
    public void The_window_takes_and_gives_parts_of_registers()
    {
        Ioapic.WriteMmio(0x00, [0x01]);
        Span<byte> data = stackalloc byte[8];
        Ioapic.ReadMmio(0x10, data);
        Assert.Equal([0x11, 0, 0x17, 0, 0, 0, 0, 0], data.ToArray());
        Ioapic.ReadMmio(0x12, data[..1]);
        Assert.Equal(0x17, data[0]);
    }

    [Fact]
    public void A_misaligned_write_is_ignored()
    {
        Ioapic.WriteMmio(0x04, [1, 0, 0, 0]);
        Assert.Equal(0u, Ioapic.ReadRegister(0));
    }

    [Fact]
    public void An_edge_delivers_on_the_rise()
    {
        _rig.Redirect(5, 0x45);
        Assert.Equal(1, Raise(5));
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(0, Raise(5));
        Assert.Equal(-1, _rig.Service());
        Lower(5);
        Raise(5);
        Assert.Equal(0x45, _rig.Service());
    }

    [Fact]
    public void An_edge_on_a_masked_pin_is_lost()
    {
        // [82093AA 3.2.4] interrupt mask
        _rig.Redirect(5, 0x45 | Masked);
        Assert.Equal(-1, Raise(5));
        _rig.Redirect(5, 0x45);
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_level_on_a_masked_pin_waits_for_the_unmask()
    {
        _rig.Redirect(5, 0x45 | Level | Masked);
        Raise(5);
        Assert.Equal(-1, _rig.Service());
        _rig.Redirect(5, 0x45 | Level);
        Assert.Equal(0x45, _rig.Service());
    }

    [Fact]
    public void A_level_sets_remote_IRR_until_EOI()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        Assert.Equal(0x45 | Level | RemoteIrr, _rig.Entry(5));
        _rig.Lapic.AcknowledgeInterrupt();
        Lower(5);
        Assert.Equal(0x45 | Level | RemoteIrr, _rig.Entry(5));
        _rig.Lapic.EndOfInterrupt();
        Assert.Equal(0x45 | Level, _rig.Entry(5));
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_level_that_stays_high_delivers_again_at_EOI()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(0x45, _rig.Service());
        Lower(5);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_level_in_service_is_not_sent_twice()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        _rig.Lapic.AcknowledgeInterrupt();
        Lower(5);
        Assert.Equal(-1, Raise(5));
        Assert.False(_rig.Lapic.HasInterrupt);
    }

    [Fact]
    public void A_line_is_high_while_any_source_holds_it()
    {
        _rig.Redirect(5, 0x45 | Level);
        Ioapic.SetPin(5, source: 0, level: true);
        Ioapic.SetPin(5, source: 7, level: true);
        Ioapic.SetPin(5, source: 0, level: false);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(0x45, _rig.Service());
        Ioapic.SetPin(5, source: 7, level: false);
        _rig.Service();
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void Polarity_is_stored_and_does_not_invert()
    {
        // As KVM since 2014: lines are logical.
        _rig.Redirect(5, 0x45 | Level | (1 << 13));
        Assert.Equal(-1, _rig.Service());
        Raise(5);
        Assert.Equal(0x45, _rig.Service());
    }

    [Fact]
    public void Switching_to_edge_clears_remote_IRR()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        _rig.Redirect(5, 0x45 | Masked);
        Assert.Equal(0x45 | Masked, _rig.Entry(5));
    }

    [Fact]
    public void Writing_remote_IRR_changes_nothing()
    {
        _rig.Redirect(5, 0x45 | Level | RemoteIrr);
        Assert.Equal(0x45 | Level, _rig.Entry(5));
    }

    [Fact]
    public void The_destination_field_chooses_the_processor()
    {
        _rig.Redirect(5, 0x45 | (1UL << 56));
        Raise(5);
        Assert.Equal([1u], _rig.Apics.Receivers(0x45));
    }

    [Fact]
    public void A_logical_destination_reaches_a_set()
    {
        _rig.Lapic.WriteXApic(LapicRegister.Ldr, 0x0100_0000);
        _rig.Apics[1].WriteXApic(LapicRegister.Ldr, 0x0200_0000);
        _rig.Redirect(5, 0x45 | (1 << 11) | (3UL << 56));
        Assert.Equal(2, Raise(5));
        Assert.Equal([0u, 1u], _rig.Apics.Receivers(0x45));
    }

    [Theory]
    [InlineData(0x200UL, "SMI")]
    [InlineData(0x400UL, "NMI")]
    [InlineData(0x500UL, "INIT")]
    [InlineData(0x700UL, "EXTINT")]
    public void Every_delivery_mode_reaches_the_processor(ulong entry, string expected)
    {
        _rig.Apics.Host.Events.Clear();
        _rig.Redirect(5, entry);
        Raise(5);
        Assert.Equal([expected], _rig.Apics.Host.Events);
    }

    [Fact]
    public void An_NMI_pin_never_waits_for_an_EOI()
    {
        _rig.Redirect(5, 0x400 | Level);
        Raise(5);
        Assert.Equal(0x400 | Level, _rig.Entry(5));
    }

    [Fact]
    public void The_EOI_register_of_version_0x20_ends_a_level_the_broadcast_did_not()
    {
        // [SDM3 10.8.5]: directed EOI.
        var rig = new IrqRig(ioapicVersion: Ioapic.VersionWithEoi, options: new LapicOptions { DirectedEoi = true });
        rig.Lapic.WriteXApic(LapicRegister.Svr, 0x11FF);
        rig.Redirect(5, 0x45 | Level);
        rig.Ioapic.SetPin(5, 0, level: true);
        rig.Service();
        Assert.Equal(0x45 | Level | RemoteIrr, rig.Entry(5));
        rig.Ioapic.SetPin(5, 0, level: false);
        rig.Ioapic.WriteRegister(0x40, 0x45);
        Assert.Equal(0x45 | Level, rig.Entry(5));
    }

    [Fact]
    public void The_82093AA_has_no_EOI_register()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        Ioapic.WriteRegister(0x40, 0x45);
        Assert.Equal(0x45 | Level | RemoteIrr, _rig.Entry(5));
    }

    [Fact]
    public void Only_vectors_in_the_table_are_handled()
    {
        _rig.Redirect(5, 0x45);
        Assert.True(Ioapic.HandlesVector(0x45));
        Assert.False(Ioapic.HandlesVector(0x46));
        _rig.Redirect(5, 0x46);
        Assert.False(Ioapic.HandlesVector(0x45));
    }

    [Fact]
    public void State_goes_round()
    {
        _rig.WriteIoapic(0, 0x0300_0000);
        _rig.Redirect(5, 0x45 | Level | (1UL << 56));
        _rig.Redirect(7, 0x47 | Level | Masked);
        Raise(5);
        Raise(7);
        Ioapic.BaseAddress = 0xFEC1_0000;
        IoapicState state = Ioapic.GetState();

        var other = new IrqRig([0, 1]);
        other.Ioapic.SetState(state);
        IoapicState again = other.Ioapic.GetState();
        Assert.Equal(
            (state.BaseAddress, state.IoRegSel, state.Id, state.Irr),
            (again.BaseAddress, again.IoRegSel, again.Id, again.Irr));
        for (int pin = 0; pin < Ioapic.PinCount; pin++)
        {
            Assert.Equal(state.Redirection[pin], again.Redirection[pin]);
        }
    }

    [Fact]
    public void A_restored_level_waits_for_its_EOI_and_delivers_again()
    {
        _rig.Redirect(5, 0x45 | Level);
        Raise(5);
        byte[] page = new byte[Lapic.StateSize];
        _rig.Lapic.ExportState(page);

        var other = new IrqRig();
        other.Lapic.TryImportState(page);
        other.Ioapic.SetState(Ioapic.GetState());
        Assert.Equal(0x45, other.Service());
        Assert.Equal(0x45, other.Service());
    }

    [Fact]
    public void An_edge_already_delivered_is_not_restored_as_pending()
    {
        _rig.Redirect(5, 0x45);
        Raise(5);
        Assert.Equal(0u, Ioapic.GetState().Irr);
        var other = new IrqRig();
        other.Ioapic.SetState(Ioapic.GetState());
        Assert.Equal(-1, other.Service());
    }

    [Fact]
    public void A_pending_edge_in_a_restored_state_is_delivered()
    {
        _rig.Redirect(5, 0x45);
        IoapicState state = Ioapic.GetState();
        state.Irr = 1 << 5;
        Ioapic.SetState(state);
        Assert.Equal(0x45, _rig.Service());
    }

    private int Raise(int pin) => Ioapic.SetPin(pin, IrqSource.User, level: true);

    private void Lower(int pin) => Ioapic.SetPin(pin, IrqSource.User, level: false);
}
