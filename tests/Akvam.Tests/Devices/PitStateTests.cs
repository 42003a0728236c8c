using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>struct kvm_pit_state2 [KVM 4.72, 4.73].</summary>
public sealed class PitStateTests
{
    private readonly PitRig _rig = new();

    [Fact]
    public void State_goes_round()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.Program(1, mode: 3, count: 0x18, bcd: true);
        _rig.Gate2(high: true);
        _rig.Program(2, mode: 0, count: 0x1234);
        _rig.Pit.WritePort(0x61, 3);
        _rig.Pit.WritePort(0x43, 0x00);
        _rig.Pit.ReadPort(0x40);
        _rig.Pit.WritePort(0x43, 0xE8);
        _rig.Pit.WritePort(0x41, 0x77);
        PitState state = _rig.Pit.GetState();
        _rig.Pit.SetState(state, keepPhase: true);
        Assert.Equal(state, _rig.Pit.GetState());
    }

    [Fact]
    public void Fields_are_those_of_KVM()
    {
        _rig.Program(0, mode: 3, count: 0);
        _rig.Pit.WritePort(0x43, 0x00);
        PitChannelState channel = _rig.Pit.GetState().Channel0;
        Assert.Equal((65_536u, (byte)3, (byte)3, (byte)3, (byte)1), (channel.Count, channel.Mode, channel.RwMode, channel.CountLatched, channel.Gate));
        Assert.InRange(channel.CountLoadTime, (long)_rig.Time.NowNs - 900, (long)_rig.Time.NowNs);
    }

    [Fact]
    public void A_channel_never_programmed_has_no_mode()
    {
        PitChannelState channel = _rig.Pit.GetState().Channel2;
        Assert.Equal((0u, (byte)0xFF, (byte)0), (channel.Count, channel.Mode, channel.Gate));
    }

    [Fact]
    public void By_default_a_restored_count_starts_over()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.To(900);
        _rig.Pit.SetState(_rig.Pit.GetState());
        _rig.To(1899);
        Assert.Equal(0, _rig.Ticks);
        _rig.To(1900);
        Assert.Equal(1, _rig.Ticks);
    }

    [Fact]
    public void With_the_same_clock_a_restored_count_goes_on()
    {
        _rig.Program(0, mode: 2, count: 1000);
        _rig.To(900);
        _rig.Pit.SetState(_rig.Pit.GetState(), keepPhase: true);
        _rig.To(999);
        Assert.Equal(0, _rig.Ticks);
        _rig.To(1000);
        Assert.Equal(1, _rig.Ticks);
    }

    [Fact]
    public void A_count_held_by_its_gate_is_kept()
    {
        _rig.Gate2(high: true);
        _rig.Program(2, mode: 0, count: 100);
        _rig.To(40);
        _rig.Gate2(high: false);
        _rig.To(500);
        _rig.Pit.SetState(_rig.Pit.GetState(), keepPhase: true);
        Assert.Equal(60, _rig.Read(2));
        _rig.Gate2(high: true);
        _rig.To(559);
        Assert.False(_rig.Out(2));
        _rig.To(560);
        Assert.True(_rig.Out(2));
    }

    [Fact]
    public void Random_states_and_writes_do_no_harm()
    {
        var random = new Random(20260815);
        ushort[] ports = [0x40, 0x41, 0x42, 0x43, 0x61];
        for (int i = 0; i < 20_000; i++)
        {
            ushort port = ports[random.Next(ports.Length)];
            _rig.Pit.WritePort(port, (byte)random.Next(256));
            _rig.Pit.ReadPort(port);
            _rig.Time.Advance((ulong)random.Next(3_000));
            if (i % 100 == 0)
            {
                PitState state = _rig.Pit.GetState();
                state.Channel0.Count = (uint)random.Next();
                state.Channel1.Mode = (byte)random.Next(256);
                state.Channel2.CountLoadTime = random.NextInt64();
                state.Channel2.ReadState = (byte)random.Next(256);
                state.Channel2.RwMode = (byte)random.Next(256);
                _rig.Pit.SetState(state, keepPhase: random.Next(2) == 0);
            }
        }

        _rig.Program(0, mode: 0, count: 10);
        _rig.To(10);
        Assert.True(_rig.Out(0));
    }
}
