using System.Buffers.Binary;
using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>struct kvm_lapic_state [KVM 4.57, 4.58].</summary>
public sealed class LapicStateTests
{
    private readonly byte[] _page = new byte[Lapic.StateSize];

    [Fact]
    public void A_page_comes_back_as_it_was()
    {
        var rig = new ApicRig([5]);
        Lapic lapic = rig.Lapic;
        lapic.WriteXApic(LapicRegister.Tpr, 0x20);
        lapic.WriteXApic(LapicRegister.Ldr, 0x0400_0000);
        lapic.WriteXApic(LapicRegister.Dfr, 0x0FFF_FFFF);
        lapic.WriteXApic(LapicRegister.LvtLint1, 0x400);
        lapic.WriteXApic(LapicRegister.IcrHigh, 0x0700_0000);
        lapic.WriteXApic(LapicRegister.IcrLow, 0x4045);
        lapic.WriteXApic(LapicRegister.DivideConfiguration, 0xB);
        lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        lapic.WriteXApic(LapicRegister.InitialCount, 1_000_000);
        rig.Interrupt(0x61, id: 5, level: true);
        lapic.AcknowledgeInterrupt();
        rig.Interrupt(0x72, id: 5);
        lapic.ExportState(_page);

        var other = new ApicRig([5], enable: false);
        Assert.True(other.Lapic.TryImportState(_page));
        byte[] again = new byte[Lapic.StateSize];
        other.Lapic.ExportState(again);
        Assert.Equal(_page, again);
    }

    [Fact]
    public void Registers_lie_at_their_page_offsets()
    {
        var rig = new ApicRig([5]);
        rig.Lapic.WriteXApic(LapicRegister.Tpr, 0x20);
        rig.Lapic.ExportState(_page);
        Assert.Equal(0x0500_0000u, Word(LapicRegister.Id));
        Assert.Equal(0x50014u, Word(LapicRegister.Version));
        Assert.Equal(0x20u, Word(LapicRegister.Tpr));
        Assert.Equal(0x20u, Word(LapicRegister.Ppr));
        Assert.Equal(0x1FFu, Word(LapicRegister.Svr));
        Assert.Equal(0u, Word(LapicRegister.Tpr + 4));
    }

    [Fact]
    public void Requests_and_service_go_on_after_an_import()
    {
        var rig = new ApicRig();
        rig.Interrupt(0x61);
        rig.Lapic.AcknowledgeInterrupt();
        rig.Interrupt(0x55);
        rig.Interrupt(0x72);
        rig.Lapic.ExportState(_page);

        var other = new ApicRig();
        int before = other.Host.Interrupts;
        other.Lapic.TryImportState(_page);
        Assert.True(other.Host.Interrupts > before);
        Assert.Equal(0x72, other.Lapic.AcknowledgeInterrupt());
        other.Lapic.EndOfInterrupt();
        Assert.False(other.Lapic.HasInterrupt);
        other.Lapic.EndOfInterrupt();
        Assert.Equal(0x55, other.Lapic.AcknowledgeInterrupt());
    }

    [Fact]
    public void A_one_shot_goes_on_from_its_current_count()
    {
        var rig = new ApicRig();
        StartTimer(rig, 0x30, 1_000_000);
        rig.Time.Advance(1_500_000);
        rig.Lapic.ExportState(_page);
        Assert.Equal(250_000u, Word(LapicRegister.CurrentCount));

        var other = new ApicRig();
        other.Lapic.TryImportState(_page);
        other.Time.Advance(499_999);
        Assert.False(other.Lapic.HasInterrupt);
        other.Time.Advance(1);
        Assert.True(other.Lapic.HasInterrupt);
    }

    /// <summary>QEMU's migration stream holds the initial count, but no current count.</summary>
    [Theory]
    [InlineData(0x30u, 0u)]
    [InlineData(0x2_0030u, 2_000_000u)]
    public void Without_a_current_count_a_one_shot_is_due_at_once_and_a_period_starts_over(uint lvt, uint expected)
    {
        var rig = new ApicRig();
        StartTimer(rig, lvt, 1_000_000);
        rig.Time.Advance(500_000);
        rig.Lapic.ExportState(_page);
        _page.AsSpan(LapicRegister.CurrentCount, 4).Clear();

        var other = new ApicRig();
        other.Lapic.TryImportState(_page);
        if (expected > 0)
        {
            other.Time.Advance(expected - 1);
            Assert.False(other.Lapic.HasInterrupt);
            other.Time.Advance(1);
        }
        else
        {
            other.Time.Advance(0);
        }

        Assert.Equal(0x30, other.Lapic.AcknowledgeInterrupt());
        other.Lapic.EndOfInterrupt();
        other.Time.Advance(1_999_999);
        Assert.False(other.Lapic.HasInterrupt);
    }

    [Fact]
    public void A_periodic_timer_ends_its_period_and_goes_on()
    {
        var rig = new ApicRig();
        StartTimer(rig, 0x2_0030, 1_000_000);
        rig.Time.Advance(500_000);
        rig.Lapic.ExportState(_page);

        var other = new ApicRig();
        other.Lapic.TryImportState(_page);
        foreach (ulong wait in new ulong[] { 1_500_000, 2_000_000, 2_000_000 })
        {
            other.Time.Advance(wait - 1);
            Assert.False(other.Lapic.HasInterrupt);
            other.Time.Advance(1);
            Assert.Equal(0x30, other.Lapic.AcknowledgeInterrupt());
            other.Lapic.EndOfInterrupt();
        }
    }

    [Fact]
    public void A_current_count_above_the_initial_one_is_cut()
    {
        var rig = new ApicRig();
        StartTimer(rig, 0x30, 1000);
        rig.Lapic.ExportState(_page);
        BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(LapicRegister.CurrentCount), uint.MaxValue);
        rig.Lapic.TryImportState(_page);
        rig.Time.Advance(2000);
        Assert.True(rig.Lapic.HasInterrupt);
    }

    [Fact]
    public void An_import_drops_the_timer_that_ran_before()
    {
        var rig = new ApicRig();
        rig.Lapic.ExportState(_page);
        StartTimer(rig, 0x30, 1000);
        rig.Lapic.TryImportState(_page);
        rig.Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        rig.Time.Advance(5000);
        Assert.False(rig.Lapic.HasInterrupt);
    }

    [Theory]
    [InlineData(false, 0x2300_0000u)]
    [InlineData(true, 0x123u)]
    public void The_x2apic_id_has_two_formats(bool use32BitIds, uint expected)
    {
        // KVM_X2APIC_API_USE_32BIT_IDS [KVM 7.7]
        var rig = new ApicRig([0x123]);
        rig.Bus.Use32BitIds = use32BitIds;
        rig.EnterX2Apic();
        rig.Lapic.ExportState(_page);
        Assert.Equal(expected, Word(LapicRegister.Id));
        Assert.True(rig.Lapic.TryImportState(_page));
    }

    [Fact]
    public void Another_processors_x2apic_id_is_refused()
    {
        var rig = new ApicRig([0x12]);
        rig.EnterX2Apic();
        rig.Lapic.ExportState(_page);
        _page[LapicRegister.Id + 3] = 0x13;
        Assert.False(rig.Lapic.TryImportState(_page));
    }

    [Fact]
    public void The_x2apic_ICR_is_split_into_its_two_words()
    {
        var rig = new ApicRig([0x12]);
        rig.EnterX2Apic();
        rig.Lapic.TryWriteMsr(0x830, (0x1234_5678UL << 32) | 0x45);
        rig.Lapic.ExportState(_page);
        Assert.Equal(0x1234_5678u, Word(LapicRegister.IcrHigh));
        var other = new ApicRig([0x12]);
        other.EnterX2Apic();
        other.Lapic.TryImportState(_page);
        other.Lapic.TryReadMsr(0x830, out ulong icr);
        Assert.Equal((0x1234_5678UL << 32) | 0x45, icr);
    }

    [Fact]
    public void Version_and_x2apic_logical_id_are_not_taken_from_the_page()
    {
        var rig = new ApicRig([0x12]);
        rig.EnterX2Apic();
        rig.Lapic.ExportState(_page);
        _page.AsSpan(LapicRegister.Version, 4).Fill(0xFF);
        _page.AsSpan(LapicRegister.Ldr, 4).Fill(0xFF);
        rig.Lapic.TryImportState(_page);
        rig.Lapic.TryReadMsr(0x803, out ulong version);
        rig.Lapic.TryReadMsr(0x80D, out ulong ldr);
        Assert.Equal((0x50014UL, 0x0001_0004UL), (version, ldr));
    }

    [Fact]
    public void Random_pages_are_taken_without_harm()
    {
        var random = new Random(20260814);
        var rig = new ApicRig([0, 1]);
        for (int i = 0; i < 2000; i++)
        {
            random.NextBytes(_page);
            rig.Lapic.TryImportState(_page);
            while (rig.Lapic.AcknowledgeInterrupt() >= 0)
            {
                rig.Lapic.EndOfInterrupt();
            }

            rig.Time.Advance((ulong)random.Next(1_000_000));
            rig.Lapic.ExportState(_page);
            Assert.Equal(0x50014u, Word(LapicRegister.Version));
        }
    }

    private uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_page.AsSpan(offset));

    private static void StartTimer(ApicRig rig, uint lvt, uint count)
    {
        rig.Lapic.WriteXApic(LapicRegister.LvtTimer, lvt);
        rig.Lapic.WriteXApic(LapicRegister.InitialCount, count);
    }
}
