using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>x2APIC mode [SDM3 10.12].</summary>
public sealed class LapicX2ApicTests
{
    private readonly ApicRig _rig = new([0x123, 0x124]);

    public LapicX2ApicTests()
    {
        _rig.EnterX2Apic(0);
        _rig.EnterX2Apic(1);
    }

    private Lapic Lapic => _rig.Lapic;

    [Theory]
    [InlineData(0x802u, 0x123UL)]
    [InlineData(0x803u, 0x50014UL)]
    [InlineData(0x80Du, 0x0012_0008UL)]
    [InlineData(0x80Fu, 0x1FFUL)]
    public void Ids_are_fixed_and_32_bits_wide(uint msr, ulong expected)
    {
        // [SDM3 10.12.10.2]: LDR = (id >> 4) << 16 | 1 << (id & 15).
        Assert.True(Lapic.TryReadMsr(msr, out ulong value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData(0x800u)]
    [InlineData(0x809u)]
    [InlineData(0x80Bu)]
    [InlineData(0x80Cu)]
    [InlineData(0x80Eu)]
    [InlineData(0x82Fu)]
    [InlineData(0x831u)]
    [InlineData(0x83Au)]
    [InlineData(0x83Fu)]
    [InlineData(0x840u)]
    [InlineData(0x8FFu)]
    public void Reads_of_reserved_and_write_only_registers_fault(uint msr)
    {
        Assert.False(Lapic.TryReadMsr(msr, out _));
    }

    [Theory]
    [InlineData(0x802u)]
    [InlineData(0x803u)]
    [InlineData(0x80Au)]
    [InlineData(0x80Du)]
    [InlineData(0x80Eu)]
    [InlineData(0x810u)]
    [InlineData(0x820u)]
    [InlineData(0x831u)]
    [InlineData(0x839u)]
    [InlineData(0x840u)]
    public void Writes_of_reserved_and_read_only_registers_fault(uint msr)
    {
        Assert.False(Lapic.TryWriteMsr(msr, 0));
    }

    [Theory]
    [InlineData(0x808u, 0x100UL)]
    [InlineData(0x80Bu, 1UL)]
    [InlineData(0x80Fu, 0x1000UL)]
    [InlineData(0x828u, 1UL)]
    [InlineData(0x830u, 1UL << 13)]
    [InlineData(0x830u, 1UL << 20)]
    [InlineData(0x832u, 0x100UL)]
    [InlineData(0x835u, 1UL << 32)]
    [InlineData(0x837u, 0x700UL)]
    [InlineData(0x83Eu, 4UL)]
    [InlineData(0x83Fu, 0x100UL)]
    public void Reserved_bits_fault(uint msr, ulong value)
    {
        // [SDM3 10.12.1.3]
        Assert.False(Lapic.TryWriteMsr(msr, value));
    }

    [Theory]
    [InlineData(0x808u, 0xFFUL)]
    [InlineData(0x80Bu, 0UL)]
    [InlineData(0x80Fu, 0x3FFUL)]
    [InlineData(0x828u, 0UL)]
    [InlineData(0x832u, 0x510FFUL)]
    [InlineData(0x838u, 0xFFFF_FFFFUL)]
    [InlineData(0x83Eu, 0xBUL)]
    public void Everything_else_may_be_written(uint msr, ulong value)
    {
        Assert.True(Lapic.TryWriteMsr(msr, value));
    }

    [Fact]
    public void Outside_x2apic_mode_the_msrs_fault()
    {
        var rig = new ApicRig();
        Assert.False(rig.Lapic.TryReadMsr(0x802, out _));
        Assert.False(rig.Lapic.TryWriteMsr(0x808, 0));
    }

    [Fact]
    public void The_ICR_is_one_64_bit_register_with_a_32_bit_destination()
    {
        // [SDM3 10.12.9]
        Assert.True(Lapic.TryWriteMsr(0x830, (0x124UL << 32) | 0x45));
        Assert.Equal([0x124u], _rig.Receivers(0x45));
        Assert.True(Lapic.TryReadMsr(0x830, out ulong icr));
        Assert.Equal((0x124UL << 32) | 0x45, icr);
    }

    [Fact]
    public void The_delivery_status_bit_is_ignored_and_reads_idle()
    {
        Assert.True(Lapic.TryWriteMsr(0x830, (0x124UL << 32) | 0x1045));
        Assert.True(Lapic.TryReadMsr(0x830, out ulong icr));
        Assert.Equal(0x45UL, icr & 0xFFFF_FFFF);
    }

    [Fact]
    public void SELF_IPI_interrupts_the_writer()
    {
        // [SDM3 10.12.11]
        Assert.True(Lapic.TryWriteMsr(0x83F, 0x51));
        Assert.Equal([0x123u], _rig.Receivers(0x51));
    }

    [Fact]
    public void Logical_destinations_name_a_cluster_and_members()
    {
        Assert.True(Lapic.TryWriteMsr(0x830, (0x0012_0018UL << 32) | 0x0846));
        Assert.Equal([0x123u, 0x124u], _rig.Receivers(0x46));
        Assert.True(Lapic.TryWriteMsr(0x830, (0x0012_0010UL << 32) | 0x0847));
        Assert.Equal([0x124u], _rig.Receivers(0x47));
        Assert.True(Lapic.TryWriteMsr(0x830, (0x0013_0018UL << 32) | 0x0848));
        Assert.Empty(_rig.Receivers(0x48));
    }

    [Fact]
    public void All_ones_is_everybody_and_0xFF_is_one_processor()
    {
        Assert.True(Lapic.TryWriteMsr(0x830, (0xFFUL << 32) | 0x49));
        Assert.Empty(_rig.Receivers(0x49));
        Assert.True(Lapic.TryWriteMsr(0x830, (0xFFFF_FFFFUL << 32) | 0x4A));
        Assert.Equal([0x123u, 0x124u], _rig.Receivers(0x4A));
    }

    [Fact]
    public void Leaving_by_way_of_disabled_brings_the_xapic_id_back()
    {
        Lapic.TrySetBase(Akvam.Devices.Lapic.DefaultBase, fromHost: false);
        Lapic.TrySetBase(Akvam.Devices.Lapic.DefaultBase | Akvam.Devices.Lapic.BaseEnable, fromHost: false);
        Assert.Equal(0x2300_0000u, Lapic.ReadXApic(LapicRegister.Id));
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Ldr));
    }
}
