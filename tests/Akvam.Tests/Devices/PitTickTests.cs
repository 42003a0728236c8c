using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Interrupts of channel 0 and reinjection [KVM 4.71 KVM_CREATE_PIT2, KVM_REINJECT_CONTROL].</summary>
public sealed class PitTickTests
{
    private readonly PitRig _rig = new();

    private Pit Pit => _rig.Pit;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void A_periodic_mode_ticks_at_each_rising_edge(int mode)
    {
        _rig.Program(0, mode, count: 1000);
        Pit.Reinject = false;
        _rig.To(999);
        Assert.Equal(0, _rig.Ticks);
        _rig.To(1000);
        Assert.Equal(1, _rig.Ticks);
        _rig.To(3999);
        Assert.Equal(3, _rig.Ticks);
        _rig.To(4000);
        Assert.Equal(4, _rig.Ticks);
    }

    [Theory]
    [InlineData(0, 1000)]
    [InlineData(4, 1001)]
    public void A_one_shot_mode_ticks_once(int mode, int at)
    {
        _rig.Program(0, mode, count: 1000);
        _rig.To((ulong)at - 1);
        Assert.Equal(0, _rig.Ticks);
        _rig.To((ulong)at);
        Assert.Equal(1, _rig.Ticks);
        _rig.To(1_000_000);
        Assert.Equal(1, _rig.Ticks);
    }

    [Fact]
    public void A_control_word_alone_stops_the_ticks()
    {
        _rig.Program(0, mode: 2, count: 1000);
        Pit.WritePort(0x43, 0x34);
        _rig.To(100_000);
        Assert.Equal(0, _rig.Ticks);
    }

    [Fact]
    public void The_other_channels_do_not_tick()
    {
        _rig.Program(1, mode: 2, count: 1000);
        _rig.Gate2(high: true);
        _rig.Program(2, mode: 2, count: 1000);
        _rig.To(100_000);
        Assert.Equal(0, _rig.Ticks);
    }

    [Fact]
    public void With_reinjection_the_next_tick_waits_for_the_acknowledge()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.To(3500);
        Assert.Equal(1, _rig.Ticks);
        Pit.Acknowledge();
        Pit.Acknowledge();
        Assert.Equal(3, _rig.Ticks);
        Pit.Acknowledge();
        Pit.Acknowledge();
        Assert.Equal(3, _rig.Ticks);
        _rig.To(4000);
        Assert.Equal(4, _rig.Ticks);
    }

    [Fact]
    public void Ticks_missed_by_a_late_host_are_owed_too()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.Time.AdvanceLate(4_300_000);
        int acknowledged = 0;
        while (_rig.Ticks > acknowledged)
        {
            acknowledged++;
            Pit.Acknowledge();
        }

        Assert.Equal(5, acknowledged);
    }

    [Fact]
    public void An_unmask_forgives_what_is_owed()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.To(5500);
        Pit.Unmasked();
        Pit.Acknowledge();
        Assert.Equal(1, _rig.Ticks);
        _rig.To(6000);
        Assert.Equal(2, _rig.Ticks);
    }

    [Fact]
    public void A_rate_no_host_keeps_up_with_is_bounded()
    {
        _rig.Program(0, mode: 2, count: 2);
        Pit.Reinject = false;
        _rig.Time.Advance(10_000_000);
        Assert.InRange(_rig.Ticks, 10, 51);
    }

    [Fact]
    public void An_HPET_in_charge_silences_channel_0()
    {
        _rig.Program(0, mode: 2, count: 1000);
        PitState state = Pit.GetState();
        state.Flags = PitState.KVM_PIT_FLAGS_HPET_LEGACY;
        Pit.SetState(state);
        _rig.To(100_000);
        Assert.Equal(0, _rig.Ticks);
        Assert.Equal(PitState.KVM_PIT_FLAGS_HPET_LEGACY, Pit.GetState().Flags);
    }
}
