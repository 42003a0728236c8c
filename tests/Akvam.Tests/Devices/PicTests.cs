using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The 8259A pair [8259A data sheet].</summary>
public sealed class PicTests
{
    private readonly IrqRig _rig = new();

    public PicTests()
    {
        _rig.InitPic();
    }

    private Pic Pic => _rig.Pic;

    [Theory]
    [InlineData(0, 0x20)]
    [InlineData(7, 0x27)]
    [InlineData(8, 0x28)]
    [InlineData(15, 0x2F)]
    public void An_input_acknowledges_to_its_vector(int irq, int vector)
    {
        Raise(irq);
        Assert.True(Pic.Output);
        Assert.Equal(vector, Pic.Acknowledge());
        Assert.False(Pic.Output);
    }

    [Fact]
    public void Lower_numbers_come_first_and_the_slave_sits_at_input_2()
    {
        Raise(3);
        Raise(9);
        Raise(1);
        Assert.Equal([0x21, 0x29, 0x23], [Take(), Take(), Take()]);
    }

    [Fact]
    public void A_masked_input_waits()
    {
        Pic.WritePort(0x21, 0x08);
        Raise(3);
        Assert.False(Pic.Output);
        Pic.WritePort(0x21, 0x00);
        Assert.True(Pic.Output);
    }

    [Fact]
    public void Service_blocks_the_same_and_lower_inputs()
    {
        Raise(3);
        Pic.Acknowledge();
        Raise(4);
        Assert.False(Pic.Output);
        Raise(1);
        Assert.True(Pic.Output);
    }

    [Fact]
    public void An_edge_is_one_request()
    {
        Raise(3);
        Take();
        Raise(3);
        Assert.False(Pic.Output);
        Lower(3);
        Raise(3);
        Assert.True(Pic.Output);
    }

    [Fact]
    public void A_level_input_requests_as_long_as_it_is_high()
    {
        Pic.WritePort(0x4D0, 0x20);
        Raise(5);
        Assert.Equal(0x25, Take());
        Assert.Equal(0x25, Take());
        Lower(5);
        Assert.False(Pic.Output);
    }

    [Theory]
    [InlineData(0x4D0, 0xF8)]
    [InlineData(0x4D1, 0xDE)]
    public void System_inputs_cannot_be_level_triggered(int port, int expected)
    {
        Pic.WritePort((ushort)port, 0xFF);
        Assert.Equal(expected, Pic.ReadPort((ushort)port));
    }

    [Fact]
    public void A_request_that_goes_away_acknowledges_as_input_7()
    {
        Pic.WritePort(0x4D0, 0x20);
        Raise(5);
        Lower(5);
        Assert.Equal(0x27, Pic.Acknowledge());
        Assert.Equal(0, ReadIsr(0x20));
    }

    [Fact]
    public void A_slave_request_that_goes_away_acknowledges_as_input_15()
    {
        Pic.WritePort(0x4D1, 0x02);
        Raise(9);
        Lower(9);
        Assert.Equal(0x2F, Pic.Acknowledge());
        Assert.Equal(0, ReadIsr(0xA0));
        Assert.Equal(0x04, ReadIsr(0x20));
    }

    [Fact]
    public void Nonspecific_EOI_ends_the_highest_in_service()
    {
        Raise(4);
        Pic.Acknowledge();
        Raise(2 - 1);
        Pic.Acknowledge();
        Pic.WritePort(0x20, 0x20);
        Assert.Equal(0x10, ReadIsr(0x20));
    }

    [Fact]
    public void Specific_EOI_ends_the_named_input()
    {
        Raise(4);
        Pic.Acknowledge();
        Raise(1);
        Pic.Acknowledge();
        Pic.WritePort(0x20, 0x64);
        Assert.Equal(0x02, ReadIsr(0x20));
    }

    [Fact]
    public void Automatic_EOI_leaves_nothing_in_service()
    {
        _rig.InitPic(icw4: 0x03);
        Raise(4);
        Pic.Acknowledge();
        Assert.Equal(0, ReadIsr(0x20));
        Raise(5);
        Assert.True(Pic.Output);
    }

    [Fact]
    public void Rotating_EOI_makes_the_served_input_the_lowest()
    {
        Raise(3);
        Pic.Acknowledge();
        Pic.WritePort(0x20, 0xA0);
        Lower(3);
        Raise(3);
        Raise(4);
        Assert.Equal(0x24, Pic.Acknowledge());
    }

    [Fact]
    public void Rotating_specific_EOI_ends_and_rotates()
    {
        Raise(3);
        Pic.Acknowledge();
        Pic.WritePort(0x20, 0xE3);
        Assert.Equal(0, ReadIsr(0x20));
        Raise(0);
        Raise(5);
        Assert.Equal(0x25, Pic.Acknowledge());
    }

    [Fact]
    public void Rotation_in_automatic_EOI_mode_is_switched_on_and_off()
    {
        _rig.InitPic(icw4: 0x03);
        Pic.WritePort(0x20, 0x80);
        Raise(3);
        Pic.Acknowledge();
        Raise(1);
        Raise(4);
        Assert.Equal(0x24, Pic.Acknowledge());
        Pic.WritePort(0x20, 0x00);
        Assert.Equal(0x21, Pic.Acknowledge());
        Raise(5);
        Raise(6);
        Assert.Equal(0x25, Pic.Acknowledge());
    }

    [Fact]
    public void Set_priority_names_the_lowest_input()
    {
        Pic.WritePort(0x20, 0xC4);
        Raise(4);
        Raise(5);
        Assert.Equal(0x25, Pic.Acknowledge());
    }

    [Fact]
    public void Special_mask_mode_lets_lower_inputs_interrupt_a_masked_service()
    {
        Raise(3);
        Pic.Acknowledge();
        Pic.WritePort(0x21, 0x08);
        Raise(6);
        Assert.False(Pic.Output);
        Pic.WritePort(0x20, 0x68);
        Assert.True(Pic.Output);
        Pic.WritePort(0x20, 0x48);
        Assert.False(Pic.Output);
    }

    [Fact]
    public void Nonspecific_EOI_passes_over_masked_inputs_in_special_mask_mode()
    {
        Raise(3);
        Pic.Acknowledge();
        Pic.WritePort(0x21, 0x08);
        Pic.WritePort(0x20, 0x68);
        Raise(6);
        Pic.Acknowledge();
        Pic.WritePort(0x20, 0x20);
        Assert.Equal(0x08, ReadIsr(0x20));
    }

    [Fact]
    public void Special_fully_nested_mode_lets_the_slave_interrupt_itself()
    {
        Raise(12);
        Pic.Acknowledge();
        Raise(8);
        Assert.False(Pic.Output);

        _rig.InitPic(icw4: 0x11);
        Lower(8);
        Lower(12);
        Raise(12);
        Assert.Equal(0x2C, Pic.Acknowledge());
        Raise(8);
        Assert.True(Pic.Output);
        Assert.Equal(0x28, Pic.Acknowledge());
    }

    [Fact]
    public void Poll_is_an_acknowledge_by_read()
    {
        Raise(5);
        Pic.WritePort(0x20, 0x0C);
        Assert.Equal(0x85, Pic.ReadPort(0x20));
        Assert.Equal(0x20, ReadIsr(0x20));
    }

    [Fact]
    public void Poll_with_nothing_pending_reads_zero()
    {
        Pic.WritePort(0x20, 0x0C);
        Assert.Equal(0, Pic.ReadPort(0x20) & 0x80);
    }

    [Fact]
    public void OCW3_chooses_between_request_and_service()
    {
        Raise(3);
        Pic.Acknowledge();
        Raise(5);
        Pic.WritePort(0x20, 0x0A);
        Assert.Equal(0x20, Pic.ReadPort(0x20));
        Pic.WritePort(0x20, 0x0B);
        Assert.Equal(0x08, Pic.ReadPort(0x20));
    }

    [Fact]
    public void The_data_port_reads_the_mask()
    {
        Pic.WritePort(0xA1, 0x5A);
        Assert.Equal(0x5A, Pic.ReadPort(0xA1));
    }

    [Fact]
    public void ICW1_forgets_masks_service_and_edges()
    {
        Raise(3);
        Pic.Acknowledge();
        Pic.WritePort(0x21, 0xFF);
        Raise(5);
        _rig.InitPic();
        Assert.Equal(0, Pic.ReadPort(0x21));
        Assert.Equal(0, ReadIsr(0x20));
        Assert.False(Pic.Output);
    }

    [Fact]
    public void Without_ICW4_initialization_ends_after_ICW3()
    {
        Pic.WritePort(0x20, 0x10);
        Pic.WritePort(0x21, 0x40);
        Pic.WritePort(0x21, 0x04);
        Pic.WritePort(0x21, 0xFB);
        Assert.Equal(0xFB, Pic.ReadPort(0x21));
    }

    [Fact]
    public void In_single_mode_there_is_no_ICW3()
    {
        Pic.WritePort(0x20, 0x12);
        Pic.WritePort(0x21, 0x40);
        Pic.WritePort(0x21, 0xFB);
        Assert.Equal(0xFB, Pic.ReadPort(0x21));
    }

    [Fact]
    public void A_second_slave_request_raises_INTR_after_the_first_is_ended()
    {
        Raise(8);
        Raise(9);
        Assert.Equal(0x28, Take());
        Assert.Equal(0x29, Take());
    }

    [Fact]
    public void The_cascade_cannot_be_driven_from_outside()
    {
        Assert.Equal(-1, Pic.SetPin(2, IrqSource.User, level: true));
        Assert.False(Pic.Output);
    }

    [Fact]
    public void A_line_is_high_while_any_source_holds_it()
    {
        Pic.WritePort(0x4D0, 0x20);
        Pic.SetPin(5, source: 0, level: true);
        Pic.SetPin(5, source: 9, level: true);
        Pic.SetPin(5, source: 0, level: false);
        Assert.True(Pic.Output);
        Pic.SetPin(5, source: 9, level: false);
        Assert.False(Pic.Output);
    }

    [Fact]
    public void The_status_of_a_line_change_says_coalesced_and_masked()
    {
        Assert.Equal(1, Raise(3));
        Lower(3);
        Assert.Equal(0, Raise(3));
        Pic.WritePort(0x21, 0x10);
        Assert.Equal(-1, Raise(4));
    }

    [Fact]
    public void State_goes_round()
    {
        Pic.WritePort(0x4D0, 0x20);
        Pic.WritePort(0x21, 0x40);
        Pic.WritePort(0x20, 0xC1);
        Pic.WritePort(0x20, 0x6B);
        Raise(5);
        Raise(9);
        Pic.Acknowledge();
        PicState master = Pic.GetState(IrqChipId.KVM_IRQCHIP_PIC_MASTER);
        PicState slave = Pic.GetState(IrqChipId.KVM_IRQCHIP_PIC_SLAVE);
        Assert.Equal((0x20, 0x40, 0x20, 0xF8, 0x28), (master.IrqBase, master.Imr, master.Elcr, master.ElcrMask, slave.IrqBase));

        var other = new IrqRig();
        other.Pic.SetState(IrqChipId.KVM_IRQCHIP_PIC_MASTER, master);
        other.Pic.SetState(IrqChipId.KVM_IRQCHIP_PIC_SLAVE, slave);
        Assert.Equal(master, other.Pic.GetState(IrqChipId.KVM_IRQCHIP_PIC_MASTER));
        Assert.Equal(slave, other.Pic.GetState(IrqChipId.KVM_IRQCHIP_PIC_SLAVE));
        Assert.Equal(Pic.Output, other.Pic.Output);
    }

    [Fact]
    public void A_restored_request_raises_INTR()
    {
        Raise(3);
        var other = new IrqRig();
        other.Pic.SetState(IrqChipId.KVM_IRQCHIP_PIC_MASTER, Pic.GetState(IrqChipId.KVM_IRQCHIP_PIC_MASTER));
        Assert.Equal(0x23, other.Pic.Acknowledge());
    }

    private int Raise(int irq) => Pic.SetPin(irq, IrqSource.User, level: true);

    private void Lower(int irq) => Pic.SetPin(irq, IrqSource.User, level: false);

    /// <summary>Acknowledges and ends with non-specific EOIs, the slave's first.</summary>
    private int Take()
    {
        int vector = Pic.Acknowledge();
        if (vector >= 0x28)
        {
            Pic.WritePort(0xA0, 0x20);
        }

        Pic.WritePort(0x20, 0x20);
        return vector;
    }

    private byte ReadIsr(ushort port)
    {
        Pic.WritePort(port, 0x0B);
        return Pic.ReadPort(port);
    }
}
