using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>GSI routing [KVM 4.25, 4.52] and notifiers.</summary>
public sealed class IrqRouterTests
{
    private const ulong Level = 1 << 15;

    private readonly IrqRig _rig = new();

    public IrqRouterTests()
    {
        _rig.InitPic();
    }

    private IrqRouter Router => _rig.Chip.Router;

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(23)]
    public void By_default_a_GSI_is_the_IOAPIC_pin_of_its_number(int gsi)
    {
        _rig.Redirect(gsi, 0x45);
        Router.SetLine(gsi, IrqSource.User, level: true);
        Assert.Equal(0x45, _rig.Service());
    }

    [Theory]
    [InlineData(1, 0x21)]
    [InlineData(15, 0x2F)]
    public void By_default_the_first_sixteen_reach_the_8259_pair_too(int gsi, int vector)
    {
        Router.SetLine(gsi, IrqSource.User, level: true);
        Assert.Equal(vector, _rig.Pic.Acknowledge());
    }

    [Fact]
    public void By_default_the_others_do_not()
    {
        Router.SetLine(16, IrqSource.User, level: true);
        Assert.False(_rig.Pic.Output);
    }

    [Fact]
    public void The_PC_table_puts_the_timer_on_pin_2()
    {
        Assert.True(Router.TrySetRoutes(IrqRoutes.Pc()));
        _rig.Redirect(0, 0x44);
        _rig.Redirect(2, 0x45);
        Router.SetLine(0, IrqSource.User, level: true);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_route_to_a_message_sends_it_for_each_rise()
    {
        Assert.True(Router.TrySetRoutes([IrqRoute.ToMsi(4095, new MsiMessage(0xFEE0_0000, 0, 0x55))]));
        Assert.Equal(1, Router.SetLine(4095, IrqSource.User, level: true));
        Assert.Equal(0x55, _rig.Service());
        Assert.Equal(-1, Router.SetLine(4095, IrqSource.User, level: false));
        Assert.Equal(1, Router.SetLine(4095, IrqSource.User, level: true));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(24)]
    [InlineData(int.MaxValue)]
    public void A_GSI_without_routes_is_ignored(int gsi)
    {
        Assert.Equal(-1, Router.SetLine(gsi, IrqSource.User, level: true));
    }

    [Fact]
    public void The_table_is_refused_whole()
    {
        IrqRoute good = IrqRoute.ToPin(1, IrqChipId.KVM_IRQCHIP_IOAPIC, 5);
        foreach (IrqRoute bad in new[]
        {
            IrqRoute.ToPin(4096, IrqChipId.KVM_IRQCHIP_IOAPIC, 0),
            IrqRoute.ToPin(-1, IrqChipId.KVM_IRQCHIP_IOAPIC, 0),
            IrqRoute.ToPin(0, IrqChipId.KVM_IRQCHIP_IOAPIC, 24),
            IrqRoute.ToPin(0, IrqChipId.KVM_IRQCHIP_PIC_SLAVE, 8),
            IrqRoute.ToPin(0, (IrqChipId)3, 0),
            IrqRoute.ToPin(1, IrqChipId.KVM_IRQCHIP_IOAPIC, 6),
            IrqRoute.ToMsi(1, default),
        })
        {
            Assert.False(Router.TrySetRoutes([good, bad]), bad.ToString());
            Assert.Equal(2, Router.RoutesOf(1).Length);
        }
    }

    [Fact]
    public void With_32_bit_ids_the_low_byte_of_the_upper_address_is_reserved()
    {
        IrqRoute route = IrqRoute.ToMsi(1, new MsiMessage(0xFEE0_0000, 0x101, 0x55));
        Assert.True(Router.TrySetRoutes([route]));
        _rig.Apics.Bus.Use32BitIds = true;
        Assert.False(Router.TrySetRoutes([route]));
    }

    [Fact]
    public void A_split_irqchip_routes_to_messages_only()
    {
        var router = new IrqRouter(_rig.Apics.Bus);
        Assert.False(router.TrySetRoutes([IrqRoute.ToPin(1, IrqChipId.KVM_IRQCHIP_IOAPIC, 1)]));
        Assert.True(router.TrySetRoutes([IrqRoute.ToMsi(1, new MsiMessage(0xFEE0_0000, 0, 0x55))]));
        router.SetLine(1, IrqSource.User, level: true);
        Assert.Equal(0x55, _rig.Service());
    }

    [Fact]
    public void A_new_table_is_announced()
    {
        int changes = 0;
        Router.RoutesChanged += () => changes++;
        Router.TrySetRoutes([]);
        Router.TrySetRoutes([IrqRoute.ToPin(5000, IrqChipId.KVM_IRQCHIP_IOAPIC, 1)]);
        Assert.Equal(1, changes);
    }

    [Fact]
    public void The_status_is_the_sum_of_deliveries_without_the_masked()
    {
        _rig.Redirect(5, 0x45);
        Assert.Equal(2, Router.SetLine(5, IrqSource.User, level: true));
        _rig.Redirect(6, 0x46 | (1 << 16));
        Assert.Equal(1, Router.SetLine(6, IrqSource.User, level: true));
    }

    [Fact]
    public void Source_ids_are_handed_out_once_and_taken_back()
    {
        var taken = new List<int>();
        int source;
        while ((source = Router.AllocateSource()) >= 0)
        {
            taken.Add(source);
        }

        Assert.Equal(Enumerable.Range(IrqSource.FirstFree, IrqSource.Count - IrqSource.FirstFree), taken);
        Router.FreeSource(7);
        Assert.Equal(7, Router.AllocateSource());
    }

    [Fact]
    public void Freeing_a_source_lowers_its_lines()
    {
        _rig.Redirect(20, 0x45 | Level);
        int source = Router.AllocateSource();
        Router.SetLine(20, source, level: true);
        Router.FreeSource(source);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_resampler_hears_the_EOI_before_the_line_is_looked_at_again()
    {
        // irqfd with resample [KVM 4.75]: lowers the line at EOI.
        _rig.Redirect(20, 0x45 | Level);
        using IDisposable notifier = Router.AddAckNotifier(20, () => Router.SetLine(20, IrqSource.Resample, level: false));
        Router.SetLine(20, IrqSource.Resample, level: true);
        Assert.Equal(0x45, _rig.Service());
        Assert.Equal(-1, _rig.Service());
    }

    [Fact]
    public void A_resampler_that_raises_again_interrupts_again()
    {
        _rig.Redirect(20, 0x45 | Level);
        int left = 2;
        using IDisposable notifier = Router.AddAckNotifier(20, () =>
        {
            Router.SetLine(20, IrqSource.Resample, level: false);
            if (left-- > 0)
            {
                Router.SetLine(20, IrqSource.Resample, level: true);
            }
        });
        Router.SetLine(20, IrqSource.Resample, level: true);
        Assert.Equal([0x45, 0x45, 0x45, -1], [_rig.Service(), _rig.Service(), _rig.Service(), _rig.Service()]);
    }

    [Fact]
    public void An_edge_is_acknowledged_at_the_processors_EOI()
    {
        _rig.Redirect(20, 0x45);
        var observer = new RecordingPinObserver(Router, 20);
        Router.Pulse(20, IrqSource.User);
        _rig.Lapic.AcknowledgeInterrupt();
        Assert.Empty(observer.Events);
        _rig.Lapic.EndOfInterrupt();
        Assert.Equal(["ack"], observer.Events);
    }

    [Fact]
    public void An_8259_input_is_acknowledged_at_its_EOI()
    {
        var observer = new RecordingPinObserver(Router, 9);
        Router.Pulse(9, IrqSource.User);
        _rig.Pic.Acknowledge();
        Assert.Empty(observer.Events);
        _rig.Pic.WritePort(0xA0, 0x20);
        Assert.Equal(["ack"], observer.Events);
    }

    [Fact]
    public void An_8259_input_is_acknowledged_at_once_with_automatic_EOI()
    {
        _rig.InitPic(icw4: 0x03);
        var observer = new RecordingPinObserver(Router, 9);
        Router.Pulse(9, IrqSource.User);
        _rig.Pic.Acknowledge();
        Assert.Equal(["ack"], observer.Events);
    }

    [Fact]
    public void Masking_is_reported_by_both_controllers()
    {
        var observer = new RecordingPinObserver(Router, 4);
        _rig.Pic.WritePort(0x21, 0x10);
        _rig.Redirect(4, 0x45);
        _rig.Pic.WritePort(0x21, 0x00);
        _rig.Redirect(4, 0x45 | (1 << 16));
        Assert.Equal(["mask", "unmask", "unmask", "mask"], observer.Events);
    }

    [Fact]
    public void A_disposed_notifier_is_silent()
    {
        int calls = 0;
        IDisposable notifier = Router.AddAckNotifier(9, () => calls++);
        Assert.True(Router.HasAckNotifier(IrqChipId.KVM_IRQCHIP_PIC_SLAVE, 1));
        notifier.Dispose();
        Assert.False(Router.HasAckNotifier(IrqChipId.KVM_IRQCHIP_PIC_SLAVE, 1));
        Router.Pulse(9, IrqSource.User);
        _rig.Pic.Acknowledge();
        _rig.Pic.WritePort(0xA0, 0x20);
        Assert.Equal(0, calls);
    }

    [Fact]
    public void Raising_a_line_allocates_nothing()
    {
        _rig.Redirect(5, 0x45);
        Router.Pulse(5, IrqSource.User);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Router.Pulse(5, IrqSource.User);
            _rig.Service();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
