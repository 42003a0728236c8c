using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>State after power-up and INIT [SDM3 10.4.7].</summary>
public sealed class LapicResetTests
{
    private readonly ApicRig _rig = new([3, 5], enable: false);

    [Theory]
    [InlineData(LapicRegister.Id, 0x0500_0000u)]
    [InlineData(LapicRegister.Version, 0x0005_0014u)]
    [InlineData(LapicRegister.Tpr, 0u)]
    [InlineData(LapicRegister.Ppr, 0u)]
    [InlineData(LapicRegister.Ldr, 0u)]
    [InlineData(LapicRegister.Dfr, 0xFFFF_FFFFu)]
    [InlineData(LapicRegister.Svr, 0xFFu)]
    [InlineData(LapicRegister.Isr, 0u)]
    [InlineData(LapicRegister.Irr + 0x70, 0u)]
    [InlineData(LapicRegister.Esr, 0u)]
    [InlineData(LapicRegister.IcrLow, 0u)]
    [InlineData(LapicRegister.IcrHigh, 0u)]
    [InlineData(LapicRegister.LvtTimer, 0x10000u)]
    [InlineData(LapicRegister.LvtThermal, 0x10000u)]
    [InlineData(LapicRegister.LvtPmc, 0x10000u)]
    [InlineData(LapicRegister.LvtLint0, 0x10000u)]
    [InlineData(LapicRegister.LvtLint1, 0x10000u)]
    [InlineData(LapicRegister.LvtError, 0x10000u)]
    [InlineData(LapicRegister.InitialCount, 0u)]
    [InlineData(LapicRegister.CurrentCount, 0u)]
    [InlineData(LapicRegister.DivideConfiguration, 0u)]
    public void Registers_after_power_up(int register, uint expected)
    {
        Assert.Equal(expected, _rig[1].ReadXApic(register));
    }

    [Fact]
    public void The_boot_processor_starts_in_virtual_wire_mode()
    {
        // KVM_X86_QUIRK_LINT0_REENABLED.
        Assert.Equal(0x700u, _rig[0].ReadXApic(LapicRegister.LvtLint0));
        Assert.True(_rig[0].AcceptsPicInterrupt);
        Assert.False(_rig[1].AcceptsPicInterrupt);
    }

    [Fact]
    public void Without_the_quirk_LINT0_is_masked_on_the_boot_processor_too()
    {
        var rig = new ApicRig(options: new LapicOptions { Lint0ExtIntAtReset = false });
        Assert.Equal(0x10000u, rig.Lapic.ReadXApic(LapicRegister.LvtLint0));
    }

    [Fact]
    public void INIT_keeps_the_id_and_the_base_and_clears_the_rest()
    {
        // [SDM3 10.4.7.3]
        Lapic lapic = _rig[1];
        lapic.TrySetBase(0x1234_5000 | Lapic.BaseEnable, fromHost: false);
        lapic.WriteXApic(LapicRegister.Id, 0x0900_0000);
        lapic.WriteXApic(LapicRegister.Svr, 0x1FF);
        lapic.WriteXApic(LapicRegister.Tpr, 0x50);
        _rig.Bus.Send(new ApicMessage { Destination = 9, Mode = DeliveryMode.Fixed, Vector = 0x80, Assert = true });
        Assert.True(lapic.HasInterrupt);

        lapic.InitReset();

        Assert.Equal(0x1234_5000 | Lapic.BaseEnable, lapic.Base);
        Assert.Equal(0x0900_0000u, lapic.ReadXApic(LapicRegister.Id));
        Assert.Equal(0xFFu, lapic.ReadXApic(LapicRegister.Svr));
        Assert.Equal(0u, lapic.ReadXApic(LapicRegister.Tpr));
        Assert.False(lapic.HasInterrupt);
    }

    [Fact]
    public void INIT_in_x2apic_mode_stays_in_it_with_its_logical_id()
    {
        _rig.EnterX2Apic(1);
        _rig[1].InitReset();
        Assert.True(_rig[1].IsX2Apic);
        Assert.True(_rig[1].TryReadMsr(0x80D, out ulong ldr));
        Assert.Equal(0x20UL, ldr);
    }

    [Fact]
    public void INIT_stops_the_timer()
    {
        Lapic lapic = _rig[1];
        lapic.WriteXApic(LapicRegister.Svr, 0x1FF);
        lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        lapic.WriteXApic(LapicRegister.InitialCount, 1000);
        lapic.InitReset();
        lapic.WriteXApic(LapicRegister.Svr, 0x1FF);
        lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        _rig.Time.Advance(1_000_000);
        Assert.False(lapic.HasInterrupt);
    }

    [Fact]
    public void The_version_tells_of_CMCI_and_directed_EOI()
    {
        var rig = new ApicRig(options: new LapicOptions { DirectedEoi = true });
        rig.Lapic.CmciAvailable = true;
        Assert.Equal(0x0106_0014u, rig.Lapic.ReadXApic(LapicRegister.Version));
    }
}
