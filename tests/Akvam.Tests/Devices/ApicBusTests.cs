using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Who receives a message [SDM3 10.6.2], and message signalled interrupts [SDM3 10.11].</summary>
public sealed class ApicBusTests
{
    private readonly ApicRig _rig = new([0, 1, 2, 3]);

    [Theory]
    [InlineData(0x01, new uint[] { 0 })]
    [InlineData(0x06, new uint[] { 1, 2 })]
    [InlineData(0x70, new uint[0])]
    [InlineData(0xFF, new uint[] { 0, 1, 2, 3 })]
    public void Flat_model_addresses_a_set(byte destination, uint[] receivers)
    {
        for (int i = 0; i < 4; i++)
        {
            _rig[i].WriteXApic(LapicRegister.Ldr, 1u << (24 + i));
        }

        Send(destination, logical: true);
        Assert.Equal(receivers, _rig.Receivers(0x45));
    }

    [Theory]
    [InlineData(0x11, new uint[] { 0 })]
    [InlineData(0x13, new uint[] { 0, 1 })]
    [InlineData(0x23, new uint[] { 2, 3 })]
    [InlineData(0x31, new uint[0])]
    [InlineData(0x10, new uint[0])]
    [InlineData(0xFF, new uint[] { 0, 1, 2, 3 })]
    public void Cluster_model_addresses_members_of_one_cluster(byte destination, uint[] receivers)
    {
        uint[] ids = [0x11, 0x12, 0x21, 0x22];
        for (int i = 0; i < 4; i++)
        {
            _rig[i].WriteXApic(LapicRegister.Dfr, 0);
            _rig[i].WriteXApic(LapicRegister.Ldr, ids[i] << 24);
        }

        Send(destination, logical: true);
        Assert.Equal(receivers, _rig.Receivers(0x45));
    }

    [Fact]
    public void Physical_mode_follows_an_id_that_software_changed()
    {
        _rig[2].WriteXApic(LapicRegister.Id, 0x0900_0000);
        Assert.Equal(-1, Send(2, logical: false));
        Assert.Equal(1, Send(9, logical: false));
        Assert.Equal([2u], _rig.Receivers(0x45));
    }

    [Fact]
    public void A_second_message_before_the_first_is_taken_is_coalesced()
    {
        Assert.Equal(1, Send(1, logical: false));
        Assert.Equal(0, Send(1, logical: false));
    }

    [Fact]
    public void Lowest_priority_picks_the_processor_with_the_lowest_task_priority()
    {
        // [SDM3 10.6.2.4]
        uint[] priorities = [0x40, 0x20, 0x10, 0x30];
        for (int i = 0; i < 4; i++)
        {
            _rig[i].WriteXApic(LapicRegister.Tpr, priorities[i]);
        }

        Lowest();
        Assert.Equal([2u], _rig.Receivers(0x45));
    }

    [Fact]
    public void What_a_processor_already_serves_counts_in_lowest_priority()
    {
        for (uint id = 0; id < 3; id++)
        {
            _rig.Interrupt(0x60, id);
            _rig[(int)id].AcknowledgeInterrupt();
        }

        Lowest();
        Assert.Equal([3u], _rig.Receivers(0x45));
    }

    [Fact]
    public void Equals_take_turns()
    {
        var receivers = new List<uint>();
        for (int round = 0; round < 8; round++)
        {
            Lowest();
            uint receiver = Assert.Single(_rig.Receivers(0x45));
            _rig[(int)receiver].AcknowledgeInterrupt();
            _rig[(int)receiver].EndOfInterrupt();
            receivers.Add(receiver);
        }

        Assert.Equal([0u, 1u, 2u, 3u, 0u, 1u, 2u, 3u], receivers);
    }

    [Fact]
    public void A_processor_with_a_request_waiting_is_passed_over()
    {
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(1, Lowest());
        }

        Assert.Equal([0u, 1u, 2u, 3u], _rig.Receivers(0x45));
    }

    [Fact]
    public void A_software_disabled_apic_takes_no_part_in_lowest_priority()
    {
        _rig[0].WriteXApic(LapicRegister.Svr, 0xFF);
        for (int i = 1; i < 4; i++)
        {
            _rig[i].WriteXApic(LapicRegister.Tpr, 0x20);
        }

        Assert.Equal(1, Lowest());
        Assert.DoesNotContain(0u, _rig.Receivers(0x45));
    }

    [Fact]
    public void An_MSI_names_destination_vector_and_trigger()
    {
        Assert.Equal(1, _rig.Bus.Send(new MsiMessage(0xFEE0_2000, 0, 0xC045)));
        Assert.Equal([2u], _rig.Receivers(0x45));
        Assert.Equal(1u << 5, _rig[2].ReadXApic(LapicRegister.Tmr + 0x20));
    }

    [Theory]
    [InlineData(0x200u, "SMI")]
    [InlineData(0x400u, "NMI")]
    [InlineData(0x500u, "INIT")]
    [InlineData(0x700u, "EXTINT")]
    public void An_MSI_carries_every_delivery_mode(uint data, string expected)
    {
        _rig.Bus.Send(new MsiMessage(0xFEE0_1000, 0, data));
        Assert.Equal([expected], _rig.HostOf(1).Events);
    }

    [Fact]
    public void The_redirection_hint_sends_to_one_of_a_logical_set()
    {
        for (int i = 0; i < 4; i++)
        {
            _rig[i].WriteXApic(LapicRegister.Ldr, 1u << (24 + i));
        }

        Assert.Equal(1, _rig.Bus.Send(new MsiMessage(0xFEE0_F00C, 0, 0x45)));
        Assert.Single(_rig.Receivers(0x45));
    }

    [Fact]
    public void The_upper_address_extends_the_destination_only_with_32_bit_ids()
    {
        var rig = new ApicRig([0x01, 0x101]);
        rig.EnterX2Apic(0);
        rig.EnterX2Apic(1);
        rig.Bus.Send(new MsiMessage(0xFEE0_1000, 0x100, 0x45));
        Assert.Equal([0x01u], rig.Receivers(0x45));
        rig.Bus.Use32BitIds = true;
        rig.Bus.Send(new MsiMessage(0xFEE0_1000, 0x100, 0x46));
        Assert.Equal([0x101u], rig.Receivers(0x46));
    }

    [Fact]
    public void MSI_destination_0xFF_is_everybody_unless_the_quirk_is_off()
    {
        // KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK
        var rig = new ApicRig([0x01, 0xFF]);
        rig.EnterX2Apic(0);
        rig.EnterX2Apic(1);
        rig.Bus.Send(new MsiMessage(0xFEEF_F000, 0, 0x45));
        Assert.Equal([0x01u, 0xFFu], rig.Receivers(0x45));
        rig.Bus.DisableBroadcastQuirk = true;
        rig.Bus.Send(new MsiMessage(0xFEEF_F000, 0, 0x46));
        Assert.Equal([0xFFu], rig.Receivers(0x46));
    }

    [Fact]
    public void A_disposed_apic_is_off_the_bus()
    {
        _rig[1].Dispose();
        Assert.Equal(-1, Send(1, logical: false));
    }

    private int Send(byte destination, bool logical) => _rig.Bus.Send(new ApicMessage
    {
        Destination = destination,
        Mode = DeliveryMode.Fixed,
        Vector = 0x45,
        Logical = logical,
        Assert = true,
    });

    private int Lowest() => _rig.Bus.Send(new ApicMessage
    {
        Destination = 0xFF,
        Mode = DeliveryMode.LowestPriority,
        Vector = 0x45,
        Assert = true,
    });
}
