namespace Akvam.Devices;

/// <content>OUT and the count, as functions of the cycle.</content>
internal sealed partial class PitChannel
{
    /// <summary>No such cycle.</summary>
    public const ulong Never = ulong.MaxValue;

    /// <summary>The level of OUT.</summary>
    public bool Out(ulong now)
    {
        Sync(now);
        if (_count == 0)
        {
            return _mode is not (0 or NoMode);
        }

        ulong elapsed = Elapsed(now);
        switch (_mode)
        {
            case 0:
                return elapsed >= _count;
            case 1:
                return !_triggered || now < _start || elapsed >= _count;
            case 2:
                // One cycle low, when the count is one; a low gate forces it high.
                return _held || _count == 1 || elapsed % _count != _count - 1;
            case 3:
                return _held || elapsed % _count < HighCycles(_count);
            case 4:
                return elapsed != _count;
            case 5:
                return !_triggered || elapsed != _count;
            default:
                return false;
        }
    }

    /// <summary>The first cycle after <paramref name="now"/> at which OUT goes from low to high, or <see cref="Never"/>.</summary>
    public ulong NextRise(ulong now)
    {
        Sync(now);
        if (_count == 0 || _held || (IsTriggeredMode && !_triggered))
        {
            return Never;
        }

        ulong elapsed = Elapsed(now);
        switch (_mode)
        {
            case 0 or 1:
                return elapsed < _count ? _start + _count : Never;
            case 2:
                return _start + (((elapsed / _count) + 1) * _count);
            case 3:
                ulong period = _start + (elapsed - (elapsed % _count));

                // In the high half with a new count waiting, OUT falls at the half and rises when the new low half ends.
                return _nextCount != 0 && _nextAt < period + _count ? _nextStart + _nextCount : period + _count;
            case 4 or 5:
                return elapsed <= _count ? _start + _count + 1 : Never;
            default:
                return Never;
        }
    }

    /// <summary>What the counting element shows, in the channel's number format.</summary>
    private ushort CurrentCount(ulong now)
    {
        if (_count == 0)
        {
            return 0;
        }

        ulong elapsed = Elapsed(now);
        uint value;
        switch (_mode)
        {
            case 2:
                value = _count - (uint)(elapsed % _count);
                break;
            case 3:
                // Counts down by two, once in each half; an odd count loads the even one below it.
                ulong phase = elapsed % _count;
                ulong high = HighCycles(_count);
                ulong steps = phase < high ? phase : phase - high;
                value = (_count & ~1u) - (2 * (uint)steps);
                break;
            case 1 or 5 when !_triggered:
                value = _count;
                break;
            default:
                uint passed = (uint)(elapsed % Modulus);
                value = _count + Modulus - passed;
                break;
        }

        value %= Modulus;
        return _bcd ? ToBcd(value) : (ushort)value;
    }

    /// <summary>Mode 3: the high half is the longer one of an odd count.</summary>
    private static ulong HighCycles(uint count) => (count + 1) / 2;
}
