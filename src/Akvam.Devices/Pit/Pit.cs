using System.Runtime.CompilerServices;

namespace Akvam.Devices;

/// <summary>The PC's 8254 interval timer, ports 0x40-0x43, and the speaker port 0x61.</summary>
/// <remarks>
/// Any thread may call; one lock. Channel 0 ticks through <see cref="ITickSink"/>, outside the lock. Its interrupt is a pulse at each rising edge of OUT.
/// </remarks>
public sealed class Pit : IDisposable
{
    /// <summary>The shortest time between two ticks; KVM's min_timer_period_us is 200.</summary>
    private const ulong MinimumTickNs = 200_000;

    /// <summary>Reinjection gives up on more ticks than this: nobody waits days for a clock to catch up.</summary>
    private const ulong MaximumPending = 1 << 24;

    /// <summary>Channel 1 refreshes memory every 18 cycles, and port 0x61 shows each.</summary>
    private const ulong RefreshCycles = 18;

    private readonly Lock _gate = new();
    private readonly IClock _clock;
    private readonly ITickSink _sink;
    private readonly IDeviceTimer _timer;
    private readonly PitChannel[] _channels;

    private bool _speakerData;
    private bool _hpetLegacy;
    private bool _reinject = true;
    private bool _acknowledged = true;
    private ulong _pending;
    private ulong _nextRise = PitChannel.Never;

    /// <summary>Makes the timer in its reset state: no channel counts, the gate of channel 2 is low.</summary>
    /// <param name="clock">Time base.</param>
    /// <param name="timers">Makes the timer for channel 0.</param>
    /// <param name="sink">Where channel 0's interrupts go.</param>
    /// <param name="hasSpeakerPort">Port 0x61 is served here (KVM_PIT_SPEAKER_DUMMY).</param>
    public Pit(IClock clock, ITimerHost timers, ITickSink sink, bool hasSpeakerPort = true)
    {
        _clock = clock;
        _sink = sink;
        HasSpeakerPort = hasSpeakerPort;
        _channels = [new(gate: true), new(gate: true), new(gate: false)];
        _timer = timers.CreateTimer(OnDue);
    }

    public bool HasSpeakerPort { get; }

    /// <summary>Ticks the guest has not finished are kept and injected later (KVM_REINJECT_CONTROL); otherwise they are dropped.</summary>
    public bool Reinject
    {
        get
        {
            lock (_gate)
            {
                return _reinject;
            }
        }

        set
        {
            lock (_gate)
            {
                _reinject = value;
                ResetPending();
            }
        }
    }

    private ulong Now => PitTime.ToCycles(_clock.NowNs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool OwnsPort(ushort port) => port is >= 0x40 and <= 0x43 || (port == 0x61 && HasSpeakerPort);

    public void Dispose() => _timer.Dispose();

    public byte ReadPort(ushort port)
    {
        lock (_gate)
        {
            ulong now = Now;
            return port switch
            {
                >= 0x40 and <= 0x42 => _channels[port - 0x40].ReadData(now),
                0x61 => (byte)((_channels[2].Gate ? 1 : 0)
                    | (_speakerData ? 2 : 0)
                    | ((now / RefreshCycles % 2) << 4 != 0 ? 0x10 : 0)
                    | (_channels[2].Out(now) ? 0x20 : 0)),

                // The control word cannot be read.
                _ => 0,
            };
        }
    }

    public void WritePort(ushort port, byte value)
    {
        lock (_gate)
        {
            ulong now = Now;
            switch (port)
            {
                case 0x43:
                    WriteControl(value, now);
                    break;
                case >= 0x40 and <= 0x42:
                    _channels[port - 0x40].WriteData(value, now);
                    if (port == 0x40)
                    {
                        ResetPending();
                        Schedule(now);
                    }

                    break;
                case 0x61:
                    _speakerData = (value & 2) != 0;
                    _channels[2].SetGate((value & 1) != 0, now);
                    break;
            }
        }
    }

    /// <summary>Software finished a timer interrupt; the next one that is owed follows.</summary>
    public void Acknowledge()
    {
        lock (_gate)
        {
            if (_pending > 0)
            {
                _pending--;
            }

            _acknowledged = true;
            if (!TakeTick())
            {
                return;
            }
        }

        _sink.Tick();
    }

    /// <summary>Software unmasked the timer interrupt: what it missed meanwhile is not owed.</summary>
    public void Unmasked()
    {
        lock (_gate)
        {
            ResetPending();
        }
    }

    /// <summary>State as KVM_GET_PIT2 carries it [KVM 4.72].</summary>
    public PitState GetState()
    {
        lock (_gate)
        {
            ulong now = Now;
            return new PitState
            {
                Channel0 = _channels[0].GetState(now),
                Channel1 = _channels[1].GetState(now),
                Channel2 = _channels[2].GetState(now),
                Flags = (_hpetLegacy ? PitState.KVM_PIT_FLAGS_HPET_LEGACY : 0)
                    | (_speakerData ? PitState.KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0),
            };
        }
    }

    /// <summary>Replaces the state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="keepPhase">Load times are of this VM's clock and the counts go on; otherwise they start over now, as KVM_SET_PIT2 does.</param>
    public void SetState(in PitState state, bool keepPhase = false)
    {
        lock (_gate)
        {
            ulong now = Now;
            _channels[0].SetState(state.Channel0, now, keepPhase);
            _channels[1].SetState(state.Channel1, now, keepPhase);
            _channels[2].SetState(state.Channel2, now, keepPhase);
            _hpetLegacy = (state.Flags & PitState.KVM_PIT_FLAGS_HPET_LEGACY) != 0;
            _speakerData = (state.Flags & PitState.KVM_PIT_FLAGS_SPEAKER_DATA_ON) != 0;
            ResetPending();
            Schedule(now);
        }
    }

    private void WriteControl(byte value, ulong now)
    {
        int channel = value >> 6;
        if (channel == 3)
        {
            for (int i = 0; i < 3; i++)
            {
                if ((value & (2 << i)) != 0)
                {
                    ReadBack(_channels[i], value, now);
                }
            }
        }
        else if ((value & 0x30) == 0)
        {
            _channels[channel].LatchCount(now);
        }
        else
        {
            _channels[channel].WriteControl(value, now);
            if (channel == 0)
            {
                Schedule(now);
            }
        }
    }

    private static void ReadBack(PitChannel channel, byte value, ulong now)
    {
        if ((value & 0x20) == 0)
        {
            channel.LatchCount(now);
        }

        if ((value & 0x10) == 0)
        {
            channel.LatchStatus(now);
        }
    }

    private void Schedule(ulong now)
    {
        _nextRise = _hpetLegacy ? PitChannel.Never : _channels[0].NextRise(now);
        if (_nextRise == PitChannel.Never)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(PitTime.ToNs(_nextRise));
        }
    }

    private void ResetPending()
    {
        _pending = 0;
        _acknowledged = true;
    }

    /// <summary>On the timer thread; may be late, or early for an edge that has moved since.</summary>
    private void OnDue()
    {
        lock (_gate)
        {
            ulong nowNs = _clock.NowNs;
            ulong now = PitTime.ToCycles(nowNs);
            if (_nextRise == PitChannel.Never)
            {
                return;
            }

            if (now < _nextRise)
            {
                _timer.Arm(PitTime.ToNs(_nextRise));
                return;
            }

            _pending = Math.Min(_pending + CountRises(now), MaximumPending);
            Schedule(now);
            if (_nextRise != PitChannel.Never && PitTime.ToNs(_nextRise) < nowNs + MinimumTickNs)
            {
                _timer.Arm(nowNs + MinimumTickNs);
            }

            if (!TakeTick())
            {
                return;
            }
        }

        _sink.Tick();
    }

    /// <summary>Edges from <see cref="_nextRise"/> to now. A rate no host keeps up with counts once.</summary>
    private ulong CountRises(ulong now)
    {
        PitChannel channel = _channels[0];
        ulong rises = 1;
        if (channel.IsPeriodic && PitTime.ToNs(channel.Count) >= MinimumTickNs)
        {
            rises += (now - _nextRise) / channel.Count;
        }

        return rises;
    }

    /// <summary>True if a tick goes out now: always without reinjection, otherwise if one is owed and the last was finished.</summary>
    private bool TakeTick()
    {
        if (!_reinject)
        {
            bool due = _pending > 0;
            _pending = 0;
            return due;
        }

        if (_pending == 0 || !_acknowledged)
        {
            return false;
        }

        _acknowledged = false;
        return true;
    }
}
