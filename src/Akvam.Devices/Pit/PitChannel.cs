namespace Akvam.Devices;

/// <summary>
/// One counter of the 8254 [82C54 data sheet]. Nothing ticks: the counting element is a start cycle and a count, and everything
/// visible is computed for the cycle a caller asks about. <see cref="Pit"/> holds the lock.
/// </summary>
internal sealed partial class PitChannel(bool gate)
{
    /// <summary>Byte order states of reads, writes and the latch, with KVM's numbers.</summary>
    private const byte Lsb = 1;
    private const byte Msb = 2;
    private const byte WordLow = 3;
    private const byte WordHigh = 4;

    private const byte NoMode = 0xFF;

    private byte _mode = NoMode;
    private byte _rwMode = WordLow;
    private bool _bcd;
    private bool _gate = gate;
    private byte _readState = WordLow;
    private byte _writeState = WordLow;
    private byte _writeLatch;
    private byte _countLatched;
    private ushort _latchedCount;
    private bool _statusLatched;
    private byte _status;

    /// <summary>Cycles of one count; zero until a count has been written after the control word.</summary>
    private uint _count;

    /// <summary>The cycle at which the counting element held <see cref="_count"/>.</summary>
    private ulong _start;

    /// <summary>Modes 1 and 5: the gate has risen since the control word.</summary>
    private bool _triggered;

    /// <summary>Counting is held back: gate low, or half a count written in mode 0. <see cref="_heldElapsed"/> cycles had passed.</summary>
    private bool _held;
    private ulong _heldElapsed;

    /// <summary>A count that takes over later: at <see cref="_nextStart"/> in modes 2 and 3, at the next trigger in modes 1 and 5.</summary>
    private uint _nextCount;
    private ulong _nextAt;
    private ulong _nextStart;

    public bool Gate => _gate;

    /// <summary>A periodic mode that is running.</summary>
    public bool IsPeriodic => _mode is 2 or 3 && _count != 0 && !_held;

    public uint Count => _count;

    private uint Modulus => _bcd ? 10_000u : 65_536u;

    private bool IsTriggeredMode => _mode is 1 or 5;

    public void WriteControl(byte value, ulong now)
    {
        int mode = (value >> 1) & 7;
        _mode = (byte)(mode > 5 ? mode - 4 : mode);
        _rwMode = (byte)((value >> 4) & 3);
        _bcd = (value & 1) != 0;
        _readState = _rwMode;
        _writeState = _rwMode;
        _countLatched = 0;
        _statusLatched = false;
        _count = 0;
        _nextCount = 0;
        _triggered = false;
        _held = !_gate && !IsTriggeredMode;
        _heldElapsed = 0;
        _start = now;
    }

    public void WriteData(byte value, ulong now)
    {
        Sync(now);
        switch (_writeState)
        {
            case Lsb:
                Load(value, now);
                break;
            case Msb:
                Load((uint)value << 8, now);
                break;
            case WordLow:
                _writeLatch = value;
                _writeState = WordHigh;
                if (_mode == 0 && _count != 0)
                {
                    // The first byte stops the count and takes OUT low.
                    _count = 0;
                    _held = false;
                }

                break;
            default:
                _writeState = WordLow;
                Load(_writeLatch | ((uint)value << 8), now);
                break;
        }
    }

    public byte ReadData(ulong now)
    {
        Sync(now);
        if (_statusLatched)
        {
            _statusLatched = false;
            return _status;
        }

        switch (_countLatched)
        {
            case Lsb:
                _countLatched = 0;
                return (byte)_latchedCount;
            case Msb:
                _countLatched = 0;
                return (byte)(_latchedCount >> 8);
            case WordLow:
                _countLatched = Msb;
                return (byte)_latchedCount;
        }

        ushort count = CurrentCount(now);
        switch (_readState)
        {
            case Msb:
                return (byte)(count >> 8);
            case WordLow:
                _readState = WordHigh;
                return (byte)count;
            case WordHigh:
                _readState = WordLow;
                return (byte)(count >> 8);
            default:
                return (byte)count;
        }
    }

    /// <summary>Counter latch command; a count that is latched already stays.</summary>
    public void LatchCount(ulong now)
    {
        Sync(now);
        if (_countLatched == 0)
        {
            _latchedCount = CurrentCount(now);
            _countLatched = _rwMode;
        }
    }

    /// <summary>Status half of the read-back command; a status that is latched already stays.</summary>
    public void LatchStatus(ulong now)
    {
        Sync(now);
        if (!_statusLatched)
        {
            bool isNull = _count == 0 || _nextCount != 0 || (!_held && now < _start);
            _status = (byte)((Out(now) ? 0x80 : 0) | (isNull ? 0x40 : 0) | (_rwMode << 4) | ((_mode & 7) << 1) | (_bcd ? 1 : 0));
            _statusLatched = true;
        }
    }

    public void SetGate(bool gate, ulong now)
    {
        Sync(now);
        if (gate == _gate)
        {
            return;
        }

        _gate = gate;
        if (gate)
        {
            Rise(now);
        }
        else if (!IsTriggeredMode && !_held)
        {
            _heldElapsed = Elapsed(now);
            _held = true;
        }
    }

    private void Rise(ulong now)
    {
        switch (_mode)
        {
            case 1 or 5:
                if (_nextCount != 0)
                {
                    _count = _nextCount;
                    _nextCount = 0;
                }

                _triggered = true;
                _start = now + 1;
                break;
            case 2 or 3:
                if (_nextCount != 0)
                {
                    _count = _nextCount;
                    _nextCount = 0;
                }

                _held = false;
                _start = now + 1;
                break;
            default:
                _held = false;
                _start = now - Math.Min(now, _heldElapsed);
                break;
        }
    }

    /// <summary>A whole count was written.</summary>
    private void Load(uint raw, ulong now)
    {
        uint count = _bcd ? FromBcd(raw) : raw;
        if (count == 0)
        {
            count = Modulus;
        }

        if (_mode is 2 or 3 && _count != 0 && !_held)
        {
            Defer(count, now);
            return;
        }

        if (IsTriggeredMode && _triggered)
        {
            _nextCount = count;
            _nextAt = ulong.MaxValue;
            return;
        }

        // The counting element takes the count at the next clock.
        _count = count;
        _start = now + 1;
        _heldElapsed = 0;
        _held = !_gate && !IsTriggeredMode;
    }

    /// <summary>A running periodic mode takes a new count at the end of the period, mode 3 at the end of the half.</summary>
    private void Defer(uint count, ulong now)
    {
        ulong elapsed = Elapsed(now);
        ulong period = _start + (elapsed - (elapsed % _count));
        ulong high = HighCycles(_count);
        _nextCount = count;
        if (_mode == 3 && elapsed % _count < high)
        {
            _nextAt = period + high;
            _nextStart = _nextAt - Math.Min(_nextAt, HighCycles(count));
        }
        else
        {
            _nextAt = period + _count;
            _nextStart = _nextAt;
        }
    }

    /// <summary>Lets a deferred count take over if its time has come.</summary>
    private void Sync(ulong now)
    {
        if (_nextCount != 0 && !_held && !IsTriggeredMode && now >= _nextAt)
        {
            _count = _nextCount;
            _start = _nextStart;
            _nextCount = 0;
        }
    }

    private ulong Elapsed(ulong now) => _held ? _heldElapsed : now > _start ? now - _start : 0;

    private static uint FromBcd(uint raw) =>
        (((raw >> 12) & 0xF) * 1000) + (((raw >> 8) & 0xF) * 100) + (((raw >> 4) & 0xF) * 10) + (raw & 0xF);

    private static ushort ToBcd(uint value) =>
        (ushort)(((value / 1000 % 10) << 12) | ((value / 100 % 10) << 8) | ((value / 10 % 10) << 4) | (value % 10));
}
