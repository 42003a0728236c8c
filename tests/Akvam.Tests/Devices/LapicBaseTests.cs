using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>IA32_APIC_BASE and its modes [SDM3 10.4.4, 10.12.1, 10.12.5].</summary>
public sealed class LapicBaseTests
{
    private const ulong Bsp = Lapic.BaseBootstrap;
    private const ulong En = Lapic.BaseEnable;
    private const ulong X2 = Lapic.BaseX2Apic;
    private const ulong Page = Lapic.DefaultBase;

    private readonly ApicRig _rig = new([0, 1]);

    [Fact]
    public void Reset_enables_xapic_at_the_default_page_and_marks_the_boot_processor()
    {
        Assert.Equal(Page | En | Bsp, _rig[0].Base);
        Assert.Equal(Page | En, _rig[1].Base);
    }

    [Theory]
    [InlineData(En, En | X2, true)]
    [InlineData(En, 0UL, true)]
    [InlineData(0UL, En, true)]
    [InlineData(0UL, En | X2, false)]
    [InlineData(0UL, X2, false)]
    [InlineData(En, X2, false)]
    [InlineData(En | X2, En, false)]
    [InlineData(En | X2, X2, false)]
    [InlineData(En | X2, 0UL, true)]
    public void A_guest_moves_between_modes_only_as_Figure_10_27_allows(ulong from, ulong to, bool allowed)
    {
        Assert.True(_rig.Lapic.TrySetBase(Page | from, fromHost: true));
        Assert.Equal(allowed, _rig.Lapic.TrySetBase(Page | to, fromHost: false));
        Assert.Equal(Page | (allowed ? to : from), _rig.Lapic.Base);
    }

    [Fact]
    public void A_restore_may_go_from_x2apic_straight_to_xapic()
    {
        _rig.EnterX2Apic();
        Assert.True(_rig.Lapic.TrySetBase(Page | En, fromHost: true));
        Assert.False(_rig.Lapic.IsX2Apic);
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(1UL << 9)]
    [InlineData(1UL << 52)]
    public void Reserved_bits_are_refused(ulong bit)
    {
        Assert.False(_rig.Lapic.TrySetBase(Page | En | bit, fromHost: true));
    }

    [Fact]
    public void The_page_may_not_lie_beyond_the_physical_address_width()
    {
        _rig.Lapic.PhysicalAddressBits = 40;
        Assert.True(_rig.Lapic.TrySetBase((1UL << 39) | En, fromHost: false));
        Assert.False(_rig.Lapic.TrySetBase((1UL << 40) | En, fromHost: false));
    }

    [Fact]
    public void X2apic_is_reserved_where_CPUID_lacks_it()
    {
        _rig.Lapic.X2ApicAvailable = false;
        Assert.False(_rig.Lapic.TrySetBase(Page | En | X2, fromHost: true));
    }

    [Fact]
    public void The_page_moves_with_the_base_and_is_gone_in_x2apic_mode()
    {
        Lapic lapic = _rig.Lapic;
        Assert.True(lapic.Contains(Page + 0xFFF));
        Assert.False(lapic.Contains(Page + 0x1000));
        lapic.TrySetBase(0x1000_0000 | En, fromHost: false);
        Assert.True(lapic.Contains(0x1000_0080));
        Assert.False(lapic.Contains(Page));
        lapic.TrySetBase(0x1000_0000 | En | X2, fromHost: false);
        Assert.False(lapic.Contains(0x1000_0080));
    }

    [Fact]
    public void A_disabled_apic_has_no_page_takes_no_interrupt_and_lets_the_8259_through()
    {
        Lapic lapic = _rig.Lapic;
        lapic.WriteXApic(LapicRegister.LvtLint0, 0x10000);
        Assert.False(lapic.AcceptsPicInterrupt);
        lapic.TrySetBase(Page, fromHost: false);
        Assert.False(lapic.Contains(Page));
        _rig.Interrupt(0x40);
        Assert.False(lapic.HasInterrupt);
        Assert.True(lapic.AcceptsPicInterrupt);
    }

    [Fact]
    public void Enabling_again_restores_the_initial_xapic_id()
    {
        // [SDM3 10.4.6]: the id is set up by hardware; what software wrote is lost.
        Lapic lapic = _rig[1];
        lapic.WriteXApic(LapicRegister.Id, 0x7700_0000);
        lapic.TrySetBase(Page, fromHost: false);
        lapic.TrySetBase(Page | En, fromHost: false);
        Assert.Equal(0x0100_0000u, lapic.ReadXApic(LapicRegister.Id));
    }
}
