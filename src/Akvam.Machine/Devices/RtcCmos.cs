namespace Akvam.Machine.Devices;

/// <summary>The MC146818 real-time clock with its CMOS memory, ports 70h and 71h, interrupt line IRQ 8.</summary>
/// <remarks>
/// Time comes from the <see cref="TimeProvider"/>; a guest that sets the clock moves an offset, never the host's clock. The flags of
/// register C are worked out when they are read, so a guest that polls sees them without a timer of the host running.
/// </remarks>
public sealed class RtcCmos : IPortDevice, IDisposable
{
    private const byte RateMask = 0x0F, UpdateInProgress = 0x80;
    private const byte SetClock = 0x80, PeriodicEnable = 0x40, AlarmEnable = 0x20, UpdateEnable = 0x10, Binary = 0x04, Hours24 = 0x02;
    private const byte AnyInterrupt = 0x80, PeriodicFlag = 0x40, AlarmFlag = 0x20, UpdateFlag = 0x10;

    /// <summary>The chip holds UIP for the last 244 µs before an update [MC146818 datasheet, UIP].</summary>
    private const long UipTicks = 244 * TimeSpan.TicksPerMicrosecond;

    private readonly TimeProvider _time;
    private readonly IrqLine _irq;
    private readonly DeviceLock _lock;
    private readonly ITimer _timer;
    private readonly byte[] _memory = new byte[128];

    private byte _index;
    private long _offset;
    private DateTime _frozen;
    private long _lastUpdate;
    private long _lastPeriod;
    private bool _asserted;

    /// <param name="time">The host's clock.</param>
    /// <param name="irq">IRQ 8.</param>
    /// <param name="deviceLock">The machine's device lock, taken when a timer of the clock fires.</param>
    /// <param name="memory">The guest's memory, for the sizes firmware reads.</param>
    /// <param name="cpus">The number of processors, for firmware.</param>
    public RtcCmos(TimeProvider time, IrqLine irq, DeviceLock deviceLock, GuestLayout memory, int cpus)
    {
        _time = time;
        _irq = irq;
        _lock = deviceLock;
        _memory[0x0A] = 0x26;       // 32,768 Hz time base, 1,024 Hz periodic rate
        _memory[0x0B] = Hours24;
        _memory[0x0D] = 0x80;       // the battery is good
        FillMemorySizes(memory);
        _memory[0x5F] = (byte)(cpus - 1);
        _lastUpdate = Seconds(Now);
        _lastPeriod = Now.Ticks;
        _timer = time.CreateTimer(static state => ((RtcCmos)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private DateTime Now => (_memory[0x0B] & SetClock) != 0 ? _frozen : HostNow.AddTicks(_offset);

    private DateTime HostNow => _time.GetUtcNow().UtcDateTime;

    public void Dispose() => _timer.Dispose();

    public uint Read(ushort port, int size)
    {
        if ((port & 1) == 0)
        {
            return 0xFF;            // the index register is write-only
        }

        switch (_index)
        {
            case <= 0x09 or 0x32 when !IsAlarm(_index):
                return ReadClock(_index);
            case 0x0A:
                return (uint)(_memory[0x0A] | (UpdateSoon() ? UpdateInProgress : 0));
            case 0x0C:
                AdvanceFlags();
                byte flags = _memory[0x0C];
                _memory[0x0C] = 0;
                UpdateLine();
                ScheduleTimer();
                return flags;
            default:
                return _memory[_index];
        }
    }

    public void Write(ushort port, int size, uint value)
    {
        byte data = (byte)value;
        if ((port & 1) == 0)
        {
            _index = (byte)(data & 0x7F);       // bit 7 masks NMI on a PC; nothing here raises one
            return;
        }

        switch (_index)
        {
            case <= 0x09 or 0x32 when !IsAlarm(_index):
                WriteClock(_index, data);
                break;
            case 0x0A:
                AdvanceFlags();
                _memory[0x0A] = (byte)(data & 0x7F);
                _lastPeriod = Now.Ticks;
                break;
            case 0x0B:
                WriteControl(data);
                break;
            case 0x0C or 0x0D:
                break;                          // read-only
            default:
                _memory[_index] = data;
                break;
        }

        UpdateLine();
        ScheduleTimer();
    }

    private static bool IsAlarm(byte index) => index is 0x01 or 0x03 or 0x05;

    private static long Seconds(DateTime time) => time.Ticks / TimeSpan.TicksPerSecond;

    private void FillMemorySizes(GuestLayout memory)
    {
        ulong low = memory.LowBytes;
        Word(0x15, 640);
        ulong extended = Math.Min((low - Math.Min(low, 1UL << 20)) >> 10, 0xFFFF);
        Word(0x17, (ushort)extended);
        Word(0x30, (ushort)extended);
        Word(0x34, (ushort)Math.Min((low - Math.Min(low, 16UL << 20)) >> 16, 0xFFFF));
        ulong high = memory.HighBytes >> 16;
        _memory[0x5B] = (byte)high;
        _memory[0x5C] = (byte)(high >> 8);
        _memory[0x5D] = (byte)(high >> 16);
        _memory[0x14] = 0x06;                   // equipment: FPU and PS/2 mouse port

        void Word(int index, ushort value)
        {
            _memory[index] = (byte)value;
            _memory[index + 1] = (byte)(value >> 8);
        }
    }

    private bool UpdateSoon() =>
        (_memory[0x0B] & SetClock) == 0 && TimeSpan.TicksPerSecond - (Now.Ticks % TimeSpan.TicksPerSecond) <= UipTicks;

    private byte ReadClock(byte index)
    {
        DateTime now = Now;
        return index switch
        {
            0x00 => Encode(now.Second),
            0x02 => Encode(now.Minute),
            0x04 => EncodeHour(now.Hour),
            0x06 => Encode((int)now.DayOfWeek + 1),
            0x07 => Encode(now.Day),
            0x08 => Encode(now.Month),
            0x09 => Encode(now.Year % 100),
            _ => Encode(now.Year / 100),
        };
    }

    private void WriteClock(byte index, byte data)
    {
        DateTime now = Now;
        int second = now.Second, minute = now.Minute, hour = now.Hour, day = now.Day, month = now.Month, year = now.Year;
        switch (index)
        {
            case 0x00: second = Math.Clamp(Decode(data), 0, 59); break;
            case 0x02: minute = Math.Clamp(Decode(data), 0, 59); break;
            case 0x04: hour = DecodeHour(data); break;
            case 0x06: return;                  // the weekday follows from the date
            case 0x07: day = Math.Clamp(Decode(data), 1, 31); break;
            case 0x08: month = Math.Clamp(Decode(data), 1, 12); break;
            case 0x09: year = (year / 100 * 100) + Math.Clamp(Decode(data), 0, 99); break;
            default: year = (Math.Clamp(Decode(data), 1, 99) * 100) + (year % 100); break;
        }

        day = Math.Min(day, DateTime.DaysInMonth(year, month));
        var set = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc);
        _frozen = set;
        _offset = set.Ticks - HostNow.Ticks;
        _lastUpdate = Seconds(set);
    }

    private void WriteControl(byte data)
    {
        AdvanceFlags();
        byte old = _memory[0x0B];
        if ((data & ~old & SetClock) != 0)
        {
            _frozen = Now;
            data = (byte)(data & ~UpdateEnable);        // SET clears UIE [MC146818 datasheet, register B]
        }

        _memory[0x0B] = data;
        if ((old & ~data & SetClock) != 0)
        {
            _offset = _frozen.Ticks - HostNow.Ticks;
            _lastUpdate = Seconds(_frozen);
        }

        if ((data & ~old & PeriodicEnable) != 0)
        {
            _lastPeriod = HostNow.Ticks;
        }
    }

    private void AdvanceFlags()
    {
        long second = Seconds(Now);
        if ((_memory[0x0B] & SetClock) == 0 && second > _lastUpdate)
        {
            _memory[0x0C] |= UpdateFlag;
            // A long pause is at most one day of alarms, as they repeat every day.
            for (long s = Math.Max(_lastUpdate + 1, second - 86_400); s <= second; s++)
            {
                if (AlarmMatches(new DateTime(s * TimeSpan.TicksPerSecond, DateTimeKind.Utc)))
                {
                    _memory[0x0C] |= AlarmFlag;
                    break;
                }
            }

            _lastUpdate = second;
        }

        if (PeriodTicks is { } period)
        {
            long elapsed = (HostNow.Ticks - _lastPeriod) / period;
            if (elapsed > 0)
            {
                _memory[0x0C] |= PeriodicFlag;
                _lastPeriod += elapsed * period;
            }
        }
    }

    private long? PeriodTicks
    {
        get
        {
            int rate = _memory[0x0A] & RateMask;
            if (rate == 0)
            {
                return null;
            }

            // Rates 1 and 2 repeat the periods of 8 and 9 [MC146818 datasheet, table of periodic rates].
            int shift = rate <= 2 ? rate + 6 : rate - 1;
            return (TimeSpan.TicksPerSecond << shift) / 32_768;
        }
    }

    private bool AlarmMatches(DateTime time) =>
        Matches(_memory[0x01], Encode(time.Second)) && Matches(_memory[0x03], Encode(time.Minute)) && Matches(_memory[0x05], EncodeHour(time.Hour));

    /// <summary>C0h to FFh in an alarm register match anything [MC146818 datasheet, alarm].</summary>
    private static bool Matches(byte alarm, byte value) => alarm >= 0xC0 || alarm == value;

    private void UpdateLine()
    {
        byte pending = (byte)(_memory[0x0C] & _memory[0x0B] & (PeriodicEnable | AlarmEnable | UpdateEnable));
        _memory[0x0C] = (byte)((_memory[0x0C] & 0x7F) | (pending != 0 ? AnyInterrupt : 0));
        if ((pending != 0) != _asserted)
        {
            _asserted = pending != 0;
            _irq(_asserted);
        }
    }

    private void ScheduleTimer()
    {
        long next = long.MaxValue;
        byte control = _memory[0x0B];
        if (!_asserted)
        {
            if ((control & PeriodicEnable) != 0 && PeriodTicks is { } period)
            {
                next = Math.Max(_lastPeriod + period - HostNow.Ticks, 0);
            }

            if ((control & (AlarmEnable | UpdateEnable)) != 0 && (control & SetClock) == 0)
            {
                next = Math.Min(next, TimeSpan.TicksPerSecond - (Now.Ticks % TimeSpan.TicksPerSecond));
            }
        }

        // The timer counts milliseconds; rounding up keeps it from firing just before the event.
        TimeSpan due = next == long.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Ceiling(next / (double)TimeSpan.TicksPerMillisecond));
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        using (_lock.Enter())
        {
            AdvanceFlags();
            UpdateLine();
            ScheduleTimer();
        }
    }

    private byte Encode(int value) => (byte)((_memory[0x0B] & Binary) != 0 ? value : ((value / 10) << 4) | (value % 10));

    private int Decode(byte value) => (_memory[0x0B] & Binary) != 0 ? value : ((value >> 4) * 10) + (value & 0x0F);

    private byte EncodeHour(int hour)
    {
        if ((_memory[0x0B] & Hours24) != 0)
        {
            return Encode(hour);
        }

        return (byte)(Encode(hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0));
    }

    private int DecodeHour(byte data)
    {
        if ((_memory[0x0B] & Hours24) != 0)
        {
            return Math.Clamp(Decode(data), 0, 23);
        }

        int hour = Math.Clamp(Decode((byte)(data & 0x7F)), 1, 12) % 12;
        return (data & 0x80) != 0 ? hour + 12 : hour;
    }
}
