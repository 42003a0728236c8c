namespace Akvam.Devices;

/// <content>State as struct kvm_pit_channel_state carries it.</content>
internal sealed partial class PitChannel
{
    public PitChannelState GetState(ulong now)
    {
        Sync(now);
        ulong start = _held ? now - Math.Min(now, _heldElapsed) : IsTriggeredMode && !_triggered ? 0 : _start;
        return new PitChannelState
        {
            Count = _nextCount != 0 ? _nextCount : _count,
            LatchedCount = _latchedCount,
            CountLatched = _countLatched,
            StatusLatched = _statusLatched ? (byte)1 : (byte)0,
            Status = _status,
            ReadState = _readState,
            WriteState = _writeState,
            WriteLatch = _writeLatch,
            RwMode = _rwMode,
            Mode = _mode,
            Bcd = _bcd ? (byte)1 : (byte)0,
            Gate = _gate ? (byte)1 : (byte)0,
            CountLoadTime = _count == 0 ? 0 : (long)PitTime.ToNs(start),
        };
    }

    /// <param name="state">What to restore; out-of-range fields are brought into range.</param>
    /// <param name="now">The present cycle.</param>
    /// <param name="keepPhase">Count on from the load time in the state, which is one of this clock; otherwise the count starts over, as in KVM.</param>
    public void SetState(in PitChannelState state, ulong now, bool keepPhase)
    {
        _bcd = state.Bcd != 0;
        _count = Math.Min(state.Count, Modulus);
        _latchedCount = state.LatchedCount;
        _countLatched = (byte)Math.Min(state.CountLatched, WordLow);
        _statusLatched = state.StatusLatched != 0;
        _status = state.Status;
        _readState = (byte)Math.Min(state.ReadState, WordHigh);
        _writeState = (byte)Math.Min(state.WriteState, WordHigh);
        _writeLatch = state.WriteLatch;
        _rwMode = (byte)(state.RwMode & 3);
        _mode = state.Mode <= 5 ? state.Mode : NoMode;
        _gate = state.Gate != 0;
        _nextCount = 0;
        ulong start = keepPhase && state.CountLoadTime > 0 ? PitTime.ToCycles((ulong)state.CountLoadTime) : now;
        _start = start;
        _triggered = IsTriggeredMode && keepPhase && state.CountLoadTime > 0;
        _held = !_gate && !IsTriggeredMode;
        _heldElapsed = _held ? now - Math.Min(start, now) : 0;
    }
}
