namespace Akvam.Devices;

/// <summary>A clock whose nanoseconds are made of a counter's ticks, so that who knows a tick knows the time.</summary>
/// <remarks>
/// A machine that slept may count from 0 again. Its ticks then go on from above the last that anybody can have seen: from there on they are ahead of the counter,
/// but they do not go back.
/// </remarks>
public sealed class CounterClock : IClock
{
    private const uint NanosecondKhz = 1_000_000;

    /// <summary>How far ticks go before they are looked at: seconds.</summary>
    private const ulong Stretch = 1ul << 32;

    private readonly Lock _gate = new();
    private readonly ICounter _counter;
    private readonly TickRatio _ns;
    private ulong _shift;

    /// <summary>Ticks from here to <see cref="Stretch"/> later need no look. Another thread may still hold a reading from before the last look: half a stretch is left for that.</summary>
    private ulong _mark;

    public CounterClock(ICounter counter)
    {
        ArgumentNullException.ThrowIfNull(counter);
        _counter = counter;
        Khz = counter.Khz;
        _ns = new TickRatio(Khz, NanosecondKhz);
        _mark = counter.Read() - (Stretch / 2);
    }

    /// <summary>Ticks in a millisecond.</summary>
    public uint Khz { get; }

    /// <summary>What the counter says, unless it went back.</summary>
    public ulong Ticks
    {
        get
        {
            ulong ticks = _counter.Read() + Volatile.Read(ref _shift);
            return ticks - Volatile.Read(ref _mark) < Stretch ? ticks : Look();
        }
    }

    public ulong NowNs => ToNs(Ticks);

    /// <summary><see cref="NowNs"/> at a reading of <see cref="Ticks"/>.</summary>
    public ulong ToNs(ulong ticks) => _ns.Apply(ticks);

    private ulong Look()
    {
        lock (_gate)
        {
            ulong ticks = _counter.Read() + _shift;
            if ((long)(ticks - _mark) < 0)
            {
                Volatile.Write(ref _shift, _shift + _mark + Stretch - ticks);
                ticks = _mark + Stretch;
            }

            if (ticks - _mark >= Stretch)
            {
                Volatile.Write(ref _mark, ticks - (Stretch / 2));
            }

            return ticks;
        }
    }
}
