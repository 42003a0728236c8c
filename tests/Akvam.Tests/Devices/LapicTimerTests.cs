using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The local timer [SDM3 10.5.4]; one bus cycle is a nanosecond here.</summary>
public sealed class LapicTimerTests
{
    private readonly ApicRig _rig = new();

    private Lapic Lapic => _rig.Lapic;

    [Theory]
    [InlineData(0x0u, 2u)]
    [InlineData(0x1u, 4u)]
    [InlineData(0x2u, 8u)]
    [InlineData(0x3u, 16u)]
    [InlineData(0x8u, 32u)]
    [InlineData(0x9u, 64u)]
    [InlineData(0xAu, 128u)]
    [InlineData(0xBu, 1u)]
    public void One_shot_fires_after_count_times_divide(uint configuration, uint divide)
    {
        Lapic.WriteXApic(LapicRegister.DivideConfiguration, configuration);
        Start(0x30, 1000);
        _rig.Time.Advance((1000 * divide) - 1);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Assert.Equal(0x30, Lapic.AcknowledgeInterrupt());
    }

    [Fact]
    public void One_shot_fires_once()
    {
        Start(0x30, 1000);
        _rig.Time.Advance(2000);
        Take();
        _rig.Time.Advance(1_000_000);
        Assert.False(Lapic.HasInterrupt);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.CurrentCount));
    }

    [Fact]
    public void The_current_count_falls_at_the_end_of_each_cycle()
    {
        Start(0x30, 1000);
        Assert.Equal(1000u, Current);
        _rig.Time.Advance(1);
        Assert.Equal(1000u, Current);
        _rig.Time.Advance(1);
        Assert.Equal(999u, Current);
        _rig.Time.Advance(1997);
        Assert.Equal(1u, Current);
        _rig.Time.Advance(1);
        Assert.Equal(0u, Current);
    }

    [Fact]
    public void Periodic_fires_every_period()
    {
        Start(0x2_0030, 500_000);
        for (int i = 0; i < 3; i++)
        {
            _rig.Time.Advance(999_999);
            Assert.False(Lapic.HasInterrupt);
            _rig.Time.Advance(1);
            Take();
        }
    }

    [Fact]
    public void Periodic_keeps_its_phase_when_the_host_is_late()
    {
        Start(0x2_0030, 500_000);
        _rig.Time.AdvanceLate(3_400_000);
        Take();
        Assert.Equal(2, _rig.Time.Arms);
        Assert.Equal(300_000u, Current);
        _rig.Time.Advance(599_999);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Take();
    }

    [Fact]
    public void A_period_the_host_cannot_stand_is_stretched()
    {
        Start(0x2_0030, 1);
        _rig.Time.Advance(199_999);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Take();
        _rig.Time.Advance(199_999);
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void Writing_zero_stops_the_timer()
    {
        Start(0x2_0030, 500_000);
        Lapic.WriteXApic(LapicRegister.InitialCount, 0);
        _rig.Time.Advance(10_000_000);
        Assert.False(Lapic.HasInterrupt);
        Assert.Null(_rig.Time.NextDeadline);
    }

    [Fact]
    public void Writing_the_initial_count_restarts()
    {
        Start(0x30, 1000);
        _rig.Time.Advance(1500);
        Lapic.WriteXApic(LapicRegister.InitialCount, 1000);
        _rig.Time.Advance(1999);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void A_masked_timer_counts_and_is_silent()
    {
        Start(0x1_0030, 1000);
        _rig.Time.Advance(1000);
        Assert.Equal(500u, Current);
        _rig.Time.Advance(5000);
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void Changing_the_divide_keeps_the_count_and_changes_its_pace()
    {
        Start(0x30, 1000);
        _rig.Time.Advance(1000);
        Lapic.WriteXApic(LapicRegister.DivideConfiguration, 0x3);
        Assert.Equal(500u, Current);
        _rig.Time.Advance((500 * 16) - 1);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void A_running_one_shot_can_become_periodic()
    {
        Start(0x30, 500_000);
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x2_0030);
        _rig.Time.Advance(1_000_000);
        Take();
        _rig.Time.Advance(1_000_000);
        Take();
    }

    [Fact]
    public void The_bus_cycle_is_configurable()
    {
        var rig = new ApicRig(options: new LapicOptions { BusCycleNs = 10 });
        rig.Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        rig.Lapic.WriteXApic(LapicRegister.InitialCount, 100);
        rig.Time.Advance(1999);
        Assert.False(rig.Lapic.HasInterrupt);
        rig.Time.Advance(1);
        Assert.True(rig.Lapic.HasInterrupt);
    }

    [Fact]
    public void The_TSC_deadline_fires_when_the_TSC_gets_there()
    {
        // [SDM3 10.5.4.1]; two TSC ticks a nanosecond.
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        ulong deadline = _rig.Tsc.ReadTsc() + 10_000;
        Lapic.WriteTscDeadline(deadline);
        Assert.Equal(deadline, Lapic.TscDeadline);
        _rig.Time.Advance(4_999);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Take();
        Assert.Equal(0UL, Lapic.TscDeadline);
    }

    [Fact]
    public void A_TSC_deadline_in_the_past_fires_at_once()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Lapic.WriteTscDeadline(1);
        Take();
        Assert.Equal(0, _rig.Time.Arms);
    }

    [Fact]
    public void Writing_a_zero_deadline_disarms()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Lapic.WriteTscDeadline(_rig.Tsc.ReadTsc() + 10_000);
        Lapic.WriteTscDeadline(0);
        _rig.Time.Advance(1_000_000);
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void The_deadline_moves_with_the_TSC()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Lapic.WriteTscDeadline(_rig.Tsc.ReadTsc() + 10_000);
        _rig.Tsc.Offset = 4_000;
        Lapic.TscChanged();
        _rig.Time.Advance(2_999);
        Assert.False(Lapic.HasInterrupt);
        _rig.Time.Advance(1);
        Assert.True(Lapic.HasInterrupt);
    }

    [Fact]
    public void The_deadline_is_ignored_in_other_modes()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        Lapic.WriteTscDeadline(1);
        Assert.Equal(0UL, Lapic.TscDeadline);
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void The_counters_are_dead_in_TSC_deadline_mode()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Lapic.WriteXApic(LapicRegister.InitialCount, 1000);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.InitialCount));
        Assert.Equal(0u, Current);
    }

    [Fact]
    public void Entering_TSC_deadline_mode_stops_a_running_count()
    {
        Start(0x30, 1000);
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        _rig.Time.Advance(1_000_000);
        Assert.False(Lapic.HasInterrupt);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.InitialCount));
    }

    [Fact]
    public void Leaving_TSC_deadline_mode_disarms()
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Lapic.WriteTscDeadline(_rig.Tsc.ReadTsc() + 10_000);
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        _rig.Time.Advance(1_000_000);
        Assert.False(Lapic.HasInterrupt);
    }

    [Fact]
    public void Without_the_CPUID_bit_the_mode_does_not_exist()
    {
        Lapic.TscDeadlineAvailable = false;
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x4_0030);
        Assert.Equal(0x30u, Lapic.ReadXApic(LapicRegister.LvtTimer));
    }

    [Theory]
    [InlineData(0x30u, 0x2_0030u, 0u)] // one-shot to periodic: it has ended
    [InlineData(0x2_0030u, 0x30u, 200_000u)] // periodic to one-shot: the second period runs
    public void A_count_that_ran_out_ends_in_the_mode_it_had_even_if_the_host_is_late(uint before, uint after, uint left)
    {
        Start(before, 500_000);
        _rig.Time.AdvanceSilently(1_600_000);
        Lapic.WriteXApic(LapicRegister.LvtTimer, after);
        Assert.Equal(left, Current);
        Take();
        Assert.False(Lapic.HasInterrupt);
    }

    private uint Current => Lapic.ReadXApic(LapicRegister.CurrentCount);

    private void Start(uint lvt, uint count)
    {
        Lapic.WriteXApic(LapicRegister.LvtTimer, lvt);
        Lapic.WriteXApic(LapicRegister.InitialCount, count);
    }

    private void Take()
    {
        Assert.Equal(0x30, Lapic.AcknowledgeInterrupt());
        Lapic.EndOfInterrupt();
    }
}
