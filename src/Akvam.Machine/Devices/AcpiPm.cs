namespace Akvam.Machine.Devices;

/// <summary>The ACPI power-management registers of PIIX4: PM1 event and control, and the power-management timer.</summary>
/// <remarks>
/// Offsets from the base: 0 PM1_STS, 2 PM1_EN, 4 PM1_CNT, 8 PM_TMR, 0Ch general-purpose events (none wired) [PIIX4 datasheet, 7.2].
/// The timer counts 3.579545 MHz in 24 bits; its top bit flipping sets TMR_STS [ACPI 4.8.2.1].
/// </remarks>
public sealed class AcpiPm : IPortDevice, IDisposable
{
    /// <summary>The number of ports.</summary>
    public const int Length = 0x40;

    /// <summary>SLP_TYP of soft off on PIIX4; the DSDT's \_S5 says the same.</summary>
    public const int SoftOffType = 0;

    private const long TimerHertz = 3_579_545;
    private const uint TimerMask = 0xFF_FFFF;
    private const ushort TimerStatus = 0x0001, WakeStatus = 0x8000, StatusBits = 0x8D31, EnableBits = 0x0521;
    private const ushort SciEnable = 0x0001, SleepEnable = 0x2000;

    private readonly TimeProvider _time;
    private readonly IrqLine _sci;
    private readonly BoardControl _control;
    private readonly DeviceLock _lock;
    private readonly ITimer _timer;
    private readonly long _start;

    private ushort _base;
    private ushort _status, _enable, _controlRegister;
    private ulong _lastFlip;
    private bool _asserted;

    /// <param name="time">Where the timer's time comes from.</param>
    /// <param name="sci">The system control interrupt, IRQ 9.</param>
    /// <param name="control">Takes the request to switch off.</param>
    /// <param name="deviceLock">The machine's device lock.</param>
    /// <param name="acpiMode">Whether the machine starts with SCI_EN set, as one without legacy firmware does.</param>
    public AcpiPm(TimeProvider time, IrqLine sci, BoardControl control, DeviceLock deviceLock, bool acpiMode)
    {
        _time = time;
        _sci = sci;
        _control = control;
        _lock = deviceLock;
        _start = time.GetTimestamp();
        _controlRegister = acpiMode ? SciEnable : (ushort)0;
        _timer = time.CreateTimer(static state => ((AcpiPm)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private ulong Ticks
    {
        get
        {
            UInt128 elapsed = (UInt128)(_time.GetTimestamp() - _start);
            return (ulong)(elapsed * TimerHertz / (UInt128)_time.TimestampFrequency);
        }
    }

    public void Dispose() => _timer.Dispose();

    /// <summary>Tells the registers where the chipset has put them.</summary>
    public void MoveTo(ushort basePort) => _base = basePort;

    public uint Read(ushort port, int size)
    {
        UpdateStatus();
        uint ticks = (uint)(Ticks & TimerMask);
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (uint)ReadByte(port - _base + i, ticks) << (8 * i);
        }

        return value;
    }

    public void Write(ushort port, int size, uint value)
    {
        UpdateStatus();
        for (int i = 0; i < size; i++)
        {
            WriteByte(port - _base + i, (byte)(value >> (8 * i)));
        }

        // SLP_EN is write-only: it starts the transition and reads as zero.
        if ((_controlRegister & SleepEnable) != 0)
        {
            _controlRegister = (ushort)(_controlRegister & ~SleepEnable);
            if (((_controlRegister >> 10) & 7) == SoftOffType)
            {
                _control.RequestPowerOff();
            }
            else
            {
                _status |= WakeStatus;          // no other sleep state exists: awake again at once
            }
        }

        UpdateInterrupt();
    }

    private byte ReadByte(int offset, uint ticks) => offset switch
    {
        0 or 1 => Byte(_status, offset),
        2 or 3 => Byte(_enable, offset),
        4 or 5 => Byte(_controlRegister, offset),
        >= 8 and <= 11 => (byte)(ticks >> (8 * (offset - 8))),
        _ => 0,
    };

    private void WriteByte(int offset, byte value)
    {
        switch (offset)
        {
            case 0 or 1:
                _status = (ushort)(_status & ~((value << (8 * offset)) & StatusBits));      // write 1 to clear
                break;
            case 2 or 3:
                _enable = (ushort)(Merge(_enable, offset, value) & EnableBits);
                break;
            case 4 or 5:
                _controlRegister = Merge(_controlRegister, offset, value);
                break;
            default:
                break;
        }
    }

    private static byte Byte(ushort value, int offset) => (byte)(value >> (8 * (offset & 1)));

    private static ushort Merge(ushort old, int offset, byte value) =>
        (offset & 1) == 0 ? (ushort)((old & 0xFF00) | value) : (ushort)((old & 0x00FF) | (value << 8));

    private void UpdateStatus()
    {
        ulong flips = Ticks >> 23;
        if (flips != _lastFlip)
        {
            _lastFlip = flips;
            _status |= TimerStatus;
        }
    }

    private void UpdateInterrupt()
    {
        bool assert = (_status & _enable) != 0 && (_controlRegister & SciEnable) != 0;
        if (assert != _asserted)
        {
            _asserted = assert;
            _sci(assert);
        }

        TimeSpan due = Timeout.InfiniteTimeSpan;
        if ((_enable & TimerStatus) != 0 && (_status & TimerStatus) == 0)
        {
            ulong left = (1UL << 23) - (Ticks & ((1UL << 23) - 1));
            due = TimeSpan.FromMilliseconds(Math.Ceiling(left * 1000.0 / TimerHertz));
        }

        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        using (_lock.Enter())
        {
            UpdateStatus();
            UpdateInterrupt();
        }
    }
}
