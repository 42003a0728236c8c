namespace Akvam.Devices;

/// <summary>
/// The local APIC's timer [SDM3 10.5.4]: nothing ticks. A running count is a deadline in nanoseconds, and the current count is
/// computed when somebody reads it.
/// </summary>
internal sealed class LapicTimer : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Lapic _lapic;
    private readonly IClock _clock;
    private readonly ITscSource _tsc;
    private readonly LapicOptions _options;
    private readonly IDeviceTimer _timer;

    private uint _mode;
    private bool _armed;
    private ulong _targetNs;
    private ulong _periodNs;
    private ulong _tscDeadline;
    private uint _initialCount;
    private uint _divide = 2;

    public LapicTimer(Lapic lapic, IClock clock, ITscSource tsc, ITimerHost timers, LapicOptions options)
    {
        _lapic = lapic;
        _clock = clock;
        _tsc = tsc;
        _options = options;
        _timer = timers.CreateTimer(OnDue);
    }

    public ulong TscDeadline
    {
        get
        {
            lock (_gate)
            {
                return _tscDeadline;
            }
        }
    }

    /// <summary>What is left of the count, rounded up: the count falls at the end of each cycle.</summary>
    public uint CurrentCount
    {
        get
        {
            lock (_gate)
            {
                return _armed && _mode != LvtBits.TimerTscDeadline ? RemainingCount(_clock.NowNs) : 0;
            }
        }
    }

    private ulong CycleNs => (ulong)_divide * _options.BusCycleNs;

    public void Reset()
    {
        lock (_gate)
        {
            StopLocked();
            _mode = 0;
            _initialCount = 0;
            _divide = 2;
        }
    }

    /// <summary>Stops counting; mode and divide stay.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            StopLocked();
        }
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Ends a count that has run out, though the host has not called yet: before the mode changes under it.</summary>
    public void Settle()
    {
        if (Volatile.Read(ref _armed))
        {
            OnDue();
        }
    }

    /// <summary>Takes the mode bits of a new timer LVT.</summary>
    /// <returns>True if the mode change disarmed the timer and cleared the initial count.</returns>
    public bool SetMode(uint lvt)
    {
        uint mode = lvt & LvtBits.TimerMode;
        lock (_gate)
        {
            uint old = _mode;
            if (mode == old)
            {
                return false;
            }

            _mode = mode;
            if (((mode | old) & LvtBits.TimerTscDeadline) == 0)
            {
                // One-shot and periodic share one running count; the bit is looked at when it ends.
                _periodNs = PeriodFor(_initialCount);
                return false;
            }

            // Into or out of TSC-deadline mode the timer is disarmed [SDM3 10.5.4.1]; 11b is reserved and counts nothing.
            StopLocked();
            _initialCount = 0;
            return true;
        }
    }

    /// <summary>Takes a write to the initial count register.</summary>
    /// <returns>False if the mode ignores it.</returns>
    public bool StartCount(uint count)
    {
        lock (_gate)
        {
            if ((_mode & LvtBits.TimerTscDeadline) != 0)
            {
                return false;
            }

            _initialCount = count;
            StartLocked(count, count);
            return true;
        }
    }

    /// <summary>Takes a write to the divide configuration register; a running count goes on at the new rate.</summary>
    public void SetDivide(uint value)
    {
        lock (_gate)
        {
            uint left = _armed && _mode != LvtBits.TimerTscDeadline ? RemainingCount(_clock.NowNs) : 0;
            _divide = DivideOf(value);
            if (left != 0)
            {
                StartLocked(_initialCount, left);
            }
        }
    }

    public void WriteTscDeadline(ulong value)
    {
        lock (_gate)
        {
            if (_mode != LvtBits.TimerTscDeadline)
            {
                return;
            }

            _tscDeadline = value;
            if (!ArmDeadlineLocked())
            {
                return;
            }
        }

        _lapic.DeliverLvt(LapicLvt.Timer);
    }

    public void TscChanged()
    {
        lock (_gate)
        {
            if (_tscDeadline == 0 || !ArmDeadlineLocked())
            {
                return;
            }
        }

        _lapic.DeliverLvt(LapicLvt.Timer);
    }

    /// <summary>Continues a saved count: <paramref name="current"/> is left of <paramref name="initial"/>.</summary>
    public void Restore(uint lvt, uint divide, uint initial, uint current)
    {
        lock (_gate)
        {
            _mode = lvt & LvtBits.TimerMode;
            _divide = DivideOf(divide);
            _initialCount = initial;
            if ((_mode & LvtBits.TimerTscDeadline) != 0 || initial == 0)
            {
                return;
            }

            // Without a current count a one-shot is due now and a period starts over, as in the kernel: QEMU saves no current count, and a
            // guest that waits for its timer would wait for ever. One that had ended already gets an interrupt too many.
            uint left = Math.Min(current, initial);
            StartLocked(initial, left == 0 && _mode == LvtBits.TimerPeriodic ? initial : left);
        }
    }

    /// <summary>Divide configuration: bits 3, 1 and 0 as one number; 111b divides by one [SDM3 Figure 10-10].</summary>
    private static uint DivideOf(uint value)
    {
        uint code = (value & 3) | ((value & 8) >> 1);
        return code == 7 ? 1 : 2u << (int)code;
    }

    /// <summary>Arms for the TSC deadline; true if it has passed and the interrupt is due now.</summary>
    private bool ArmDeadlineLocked()
    {
        if (_tscDeadline == 0)
        {
            StopLocked();
            return false;
        }

        if (_tsc.ReadTsc() >= _tscDeadline)
        {
            StopLocked();
            return true;
        }

        _armed = true;
        _targetNs = _tsc.DeadlineToNs(_tscDeadline);
        ArmHost();
        return false;
    }

    private void StartLocked(uint initial, uint left)
    {
        _periodNs = PeriodFor(initial);
        if (initial == 0)
        {
            StopLocked();
            return;
        }

        _armed = true;
        _targetNs = _clock.NowNs + (left == initial ? _periodNs : left * CycleNs);
        ArmHost();
    }

    /// <summary>A guest cannot ask for more periodic interrupts than the host stands.</summary>
    private ulong PeriodFor(uint count)
    {
        ulong period = count * CycleNs;
        return _mode == LvtBits.TimerPeriodic ? Math.Max(period, _options.MinimumPeriodNs) : period;
    }

    private void StopLocked()
    {
        _tscDeadline = 0;
        if (_armed)
        {
            _armed = false;
            _timer.Cancel();
        }
    }

    private void ArmHost()
    {
        if (_targetNs == ulong.MaxValue)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(_targetNs);
        }
    }

    private uint RemainingCount(ulong now)
    {
        ulong left;
        if (_targetNs > now)
        {
            left = _targetNs - now;
        }
        else if (_mode == LvtBits.TimerPeriodic)
        {
            left = _periodNs - ((now - _targetNs) % _periodNs);
        }
        else
        {
            return 0;
        }

        return (uint)Math.Min((left + CycleNs - 1) / CycleNs, _initialCount);
    }

    /// <summary>On the timer thread, or from <see cref="Settle"/>. May be late, or early for a deadline that has moved since.</summary>
    private void OnDue()
    {
        lock (_gate)
        {
            if (!_armed)
            {
                return;
            }

            if (_mode == LvtBits.TimerTscDeadline)
            {
                if (!ArmDeadlineLocked())
                {
                    return;
                }
            }
            else
            {
                ulong now = _clock.NowNs;
                if (now < _targetNs)
                {
                    ArmHost();
                    return;
                }

                if (_mode == LvtBits.TimerPeriodic)
                {
                    // Periods missed altogether make one interrupt, and the phase is kept.
                    _targetNs += _periodNs * (1 + ((now - _targetNs) / _periodNs));
                    ArmHost();
                }
                else
                {
                    _armed = false;
                }
            }
        }

        _lapic.DeliverLvt(LapicLvt.Timer);
    }
}
