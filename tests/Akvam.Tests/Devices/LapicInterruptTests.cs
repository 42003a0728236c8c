using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Requests, service, priority and end of interrupt [SDM3 10.8].</summary>
public sealed class LapicInterruptTests
{
    private readonly ApicRig _rig = new();

    private Lapic Lapic => _rig.Lapic;

    [Fact]
    public void A_request_is_acknowledged_into_service()
    {
        _rig.Interrupt(0x45);
        Assert.True(Lapic.HasInterrupt);
        Assert.Equal(1u << 5, Lapic.ReadXApic(LapicRegister.Irr + 0x20));
        Assert.Equal(0x45, Lapic.AcknowledgeInterrupt());
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Irr + 0x20));
        Assert.Equal(1u << 5, Lapic.ReadXApic(LapicRegister.Isr + 0x20));
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void Nothing_pending_acknowledges_to_minus_one()
    {
        Assert.Equal(-1, Lapic.AcknowledgeInterrupt());
    }

    [Fact]
    public void The_processor_is_told_of_a_request()
    {
        int before = _rig.Host.Interrupts;
        _rig.Interrupt(0x45);
        Assert.Equal(before + 1, _rig.Host.Interrupts);
    }

    [Fact]
    public void The_highest_vector_comes_first()
    {
        _rig.Interrupt(0x31);
        _rig.Interrupt(0xF2);
        _rig.Interrupt(0x80);
        Assert.Equal(0xF2, Lapic.AcknowledgeInterrupt());
    }

    [Fact]
    public void A_higher_class_interrupts_service_and_a_lower_one_waits()
    {
        // [SDM3 10.8.3.1]
        _rig.Interrupt(0x50);
        Lapic.AcknowledgeInterrupt();
        _rig.Interrupt(0x4F);
        Assert.False(Lapic.HasInterrupt);
        _rig.Interrupt(0x60);
        Assert.Equal(0x60, Lapic.AcknowledgeInterrupt());
        Assert.Equal(0x60u, Lapic.ReadXApic(LapicRegister.Ppr));
    }

    [Fact]
    public void The_same_class_waits_even_with_a_higher_vector()
    {
        _rig.Interrupt(0x50);
        Lapic.AcknowledgeInterrupt();
        _rig.Interrupt(0x5F);
        Assert.False(Lapic.HasInterrupt);
        Lapic.EndOfInterrupt();
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void The_task_priority_holds_back_its_class_and_below()
    {
        Lapic.WriteXApic(LapicRegister.Tpr, 0x50);
        _rig.Interrupt(0x5F);
        Assert.False(Lapic.HasInterrupt);
        _rig.Interrupt(0x60);
        Assert.Equal(0x60, Lapic.PendingVector);
    }

    [Fact]
    public void Lowering_the_task_priority_tells_the_processor()
    {
        Lapic.Cr8 = 0xF;
        _rig.Interrupt(0x30);
        int before = _rig.Host.Interrupts;
        Lapic.Cr8 = 0;
        Assert.Equal(before + 1, _rig.Host.Interrupts);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void CR8_is_the_upper_half_of_the_TPR()
    {
        // [SDM3 10.8.6.1]: writing CR8 clears the subclass.
        Lapic.WriteXApic(LapicRegister.Tpr, 0x37);
        Assert.Equal(3, Lapic.Cr8);
        Lapic.Cr8 = 5;
        Assert.Equal(0x50u, Lapic.ReadXApic(LapicRegister.Tpr));
    }

    [Theory]
    [InlineData(0x00u, 0, 0x00u)]
    [InlineData(0x37u, 0, 0x37u)]
    [InlineData(0x37u, 0x45, 0x40u)]
    [InlineData(0x47u, 0x45, 0x47u)]
    [InlineData(0x57u, 0x45, 0x57u)]
    public void PPR_is_the_higher_of_task_and_service(uint tpr, byte inService, uint ppr)
    {
        // [SDM3 10.8.3.1]: the subclass is TPR's where TPR's class is not lower, otherwise zero.
        if (inService != 0)
        {
            _rig.Interrupt(inService);
            Lapic.AcknowledgeInterrupt();
        }

        Lapic.WriteXApic(LapicRegister.Tpr, tpr);
        Assert.Equal(ppr, Lapic.ReadXApic(LapicRegister.Ppr));
    }

    [Fact]
    public void A_vector_can_wait_once_while_in_service()
    {
        // [SDM3 10.8.4]: one in ISR, one in IRR.
        _rig.Interrupt(0x45);
        Lapic.AcknowledgeInterrupt();
        _rig.Interrupt(0x45);
        _rig.Interrupt(0x45);
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Equal(0x45, Lapic.AcknowledgeInterrupt());
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Equal(-1, Lapic.AcknowledgeInterrupt());
    }

    [Fact]
    public void EOI_ends_the_highest_in_service()
    {
        _rig.Interrupt(0x40);
        Lapic.AcknowledgeInterrupt();
        _rig.Interrupt(0x70);
        Lapic.AcknowledgeInterrupt();
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Isr + 0x30));
        Assert.Equal(1u, Lapic.ReadXApic(LapicRegister.Isr + 0x20));
        Assert.Equal(0x40u, Lapic.ReadXApic(LapicRegister.Ppr));
    }

    [Fact]
    public void The_trigger_mode_register_follows_each_acceptance()
    {
        _rig.Interrupt(0x41, level: true);
        Assert.Equal(2u, Lapic.ReadXApic(LapicRegister.Tmr + 0x20));
        _rig.Interrupt(0x41, level: false);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Tmr + 0x20));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EOI_is_broadcast_with_the_trigger_mode(bool level)
    {
        var listener = new RecordingEoiListener();
        _rig.Bus.AddListener(listener);
        _rig.Interrupt(0x41, level: level);
        Lapic.AcknowledgeInterrupt();
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Equal([(0x41, level, false)], listener.Messages);
    }

    [Fact]
    public void EOI_with_nothing_in_service_is_silent()
    {
        var listener = new RecordingEoiListener();
        _rig.Bus.AddListener(listener);
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Empty(listener.Messages);
    }

    [Fact]
    public void A_listener_is_not_told_of_vectors_it_does_not_handle()
    {
        var listener = new RecordingEoiListener(ignored: 0x41);
        _rig.Bus.AddListener(listener);
        _rig.Interrupt(0x41);
        Lapic.AcknowledgeInterrupt();
        Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Empty(listener.Messages);
    }

    [Fact]
    public void SVR_bit_12_suppresses_the_broadcast_where_it_is_offered()
    {
        // [SDM3 10.8.5]
        var rig = new ApicRig(options: new LapicOptions { DirectedEoi = true });
        var listener = new RecordingEoiListener();
        rig.Bus.AddListener(listener);
        rig.Lapic.WriteXApic(LapicRegister.Svr, 0x11FF);
        rig.Interrupt(0x41, level: true);
        rig.Lapic.AcknowledgeInterrupt();
        rig.Lapic.WriteXApic(LapicRegister.Eoi, 0);
        Assert.Equal([(0x41, true, true)], listener.Messages);
    }

    [Fact]
    public void A_software_disabled_apic_takes_no_vectors_but_keeps_what_it_has()
    {
        // [SDM3 10.4.7.2]
        _rig.Interrupt(0x40);
        Lapic.WriteXApic(LapicRegister.Svr, 0xFF);
        _rig.Interrupt(0x50);
        Assert.Equal(0x40, Lapic.PendingVector);
    }

    [Theory]
    [InlineData(DeliveryMode.Nmi, "NMI")]
    [InlineData(DeliveryMode.Smi, "SMI")]
    [InlineData(DeliveryMode.Init, "INIT")]
    [InlineData(DeliveryMode.Sipi, "SIPI 9A")]
    public void A_software_disabled_apic_still_takes_the_others(DeliveryMode mode, string expected)
    {
        var rig = new ApicRig(enable: false);
        rig.Bus.Send(new ApicMessage { Destination = 0, Mode = mode, Vector = 0x9A, Assert = true });
        Assert.Equal([expected], rig.Host.Events);
    }
}
