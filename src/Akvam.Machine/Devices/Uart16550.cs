using System.Runtime.CompilerServices;

namespace Akvam.Machine.Devices;

/// <summary>A 16550A serial port: eight registers, two 16-byte FIFOs, interrupts, loopback.</summary>
/// <remarks>
/// <para>The line is infinitely fast: a character leaves as it is written, so the transmitter is always empty.</para>
/// <para>Input is pulled from an <see cref="ISerialInput"/> only when the guest listens: its receive interrupt is on and gated through
/// (OUT2) with RTS not withdrawn, or it polls the line status without sending. Characters that a FIFO reset would
/// throw away go back to the input. So a kernel that probes and resets the port while it boots loses nothing.</para>
/// </remarks>
public sealed class Uart16550 : IPortDevice
{
    /// <summary>Line status reads without a transmission after which a guest counts as polling for input.</summary>
    public const int PollThreshold = 16;

    private const int FifoSize = 16;

    private const byte IerReceive = 0x01, IerTransmit = 0x02, IerLine = 0x04, IerModem = 0x08;
    private const byte LcrDivisor = 0x80;
    private const byte McrRts = 0x02, McrOut2 = 0x08, McrLoop = 0x10;
    private const byte LsrData = 0x01, LsrOverrun = 0x02, LsrErrors = 0x1E, LsrThrEmpty = 0x20, LsrEmpty = 0x40;
    private const byte MsrLines = 0xB0;     // CTS, DSR and DCD of a terminal that is always there

    private readonly ushort _base;
    private readonly ISerialInput _input;
    private readonly Action<byte> _output;
    private readonly IrqLine _irq;
    private readonly ByteFifo _receive = new(FifoSize);

    private byte _ier, _lcr, _mcr, _scratch, _fcr;
    private byte _divisorLow = 1, _divisorHigh;
    private byte _lineErrors;
    private byte _modem = MsrLines;
    private bool _transmitPending;
    private bool _timeoutPending;
    private bool _rtsSeen;
    private bool _asserted;
    private int _polls;

    /// <param name="basePort">The first of the eight ports (3F8h for COM1).</param>
    /// <param name="input">Where received characters come from.</param>
    /// <param name="output">Takes each transmitted character.</param>
    /// <param name="irq">The port's interrupt line.</param>
    public Uart16550(ushort basePort, ISerialInput input, Action<byte> output, IrqLine irq)
    {
        _base = basePort;
        _input = input;
        _output = output;
        _irq = irq;
    }

    private bool FifoEnabled => (_fcr & 1) != 0;

    private bool Loopback => (_mcr & McrLoop) != 0;

    private int TriggerLevel => !FifoEnabled ? 1 : (_fcr >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };

    /// <summary>Looks for new input; called when some arrived.</summary>
    public void Poll()
    {
        PullInput();
        UpdateInterrupt();
    }

    public uint Read(ushort port, int size)
    {
        int register = port - _base;
        uint value = register switch
        {
            0 when DivisorAccess => _divisorLow,
            0 => ReadReceiver(),
            1 when DivisorAccess => _divisorHigh,
            1 => _ier,
            2 => ReadInterruptId(),
            3 => _lcr,
            4 => _mcr,
            5 => ReadLineStatus(),
            6 => ReadModemStatus(),
            _ => _scratch,
        };
        UpdateInterrupt();
        return value;
    }

    public void Write(ushort port, int size, uint value)
    {
        byte data = (byte)value;
        switch (port - _base)
        {
            case 0 when DivisorAccess:
                _divisorLow = data;
                break;
            case 0:
                Transmit(data);
                break;
            case 1 when DivisorAccess:
                _divisorHigh = data;
                break;
            case 1:
                WriteInterruptEnable(data);
                break;
            case 2:
                WriteFifoControl(data);
                break;
            case 3:
                _lcr = data;
                break;
            case 4:
                WriteModemControl(data);
                break;
            case 7:
                _scratch = data;
                break;
            default:
                break;      // line and modem status are read-only
        }

        PullInput();
        UpdateInterrupt();
    }

    private bool DivisorAccess => (_lcr & LcrDivisor) != 0;

    private uint ReadReceiver()
    {
        _polls = 0;
        _timeoutPending = false;
        uint value = _receive.Count > 0 ? _receive.Dequeue() : 0u;
        PullInput();
        return value;
    }

    private uint ReadInterruptId()
    {
        byte id = PendingInterrupt();
        if (id == 0x02)
        {
            _transmitPending = false;
        }

        return (uint)(id | (FifoEnabled ? 0xC0 : 0));
    }

    private uint ReadLineStatus()
    {
        // What arrives later is pulled by Poll; looking now and then is for what was there before, or was held back.
        if (_receive.Count == 0 && ++_polls is PollThreshold or 2 * PollThreshold)
        {
            _polls = PollThreshold;
            PullInput();
        }

        uint value = (uint)(LsrThrEmpty | LsrEmpty | _lineErrors | (_receive.Count > 0 ? LsrData : 0));
        _lineErrors = 0;
        return value;
    }

    private uint ReadModemStatus()
    {
        if (Loopback)
        {
            // DTR, RTS, OUT1 and OUT2 come back as DSR, CTS, RI and DCD.
            int lines = ((_mcr & 0x01) << 5) | ((_mcr & 0x02) << 3) | ((_mcr & 0x04) << 4) | ((_mcr & 0x08) << 4);
            return (uint)((_modem & 0x0F) | lines);
        }

        byte value = _modem;
        _modem = MsrLines;
        return value;
    }

    private void Transmit(byte data)
    {
        _polls = 0;
        if (Loopback)
        {
            Receive(data);
        }
        else
        {
            _output(data);
        }

        // The character is gone at once, which raises "transmitter empty" again [16550A datasheet, THRE].
        _transmitPending = (_ier & IerTransmit) != 0;
    }

    private void Receive(byte data)
    {
        int capacity = FifoEnabled ? FifoSize : 1;
        if (_receive.Count >= capacity)
        {
            _lineErrors |= LsrOverrun;
            return;
        }

        _receive.Enqueue(data);
        _timeoutPending = _receive.Count < TriggerLevel;
    }

    private void WriteInterruptEnable(byte data)
    {
        byte old = _ier;
        _ier = (byte)(data & 0x0F);
        if ((_ier & ~old & IerTransmit) != 0)
        {
            _transmitPending = true;
        }
        else if ((_ier & IerTransmit) == 0)
        {
            _transmitPending = false;
        }
    }

    private void WriteFifoControl(byte data)
    {
        bool toggled = ((data ^ _fcr) & 1) != 0;
        if (toggled || ((data & 1) != 0 && (data & 2) != 0))
        {
            ReturnUnread();
        }

        _fcr = (data & 1) != 0 ? (byte)(data & 0xC9) : (byte)0;
    }

    private void ReturnUnread()
    {
        if (!Loopback)
        {
            while (_receive.Count != 0)
            {
                _input.PutBack(_receive.TakeLast());
            }
        }

        _receive.Clear();
        _timeoutPending = false;
        _polls = 0;
    }

    private void WriteModemControl(byte data)
    {
        _mcr = (byte)(data & 0x1F);
        if ((_mcr & McrOut2) == 0)
        {
            _rtsSeen = false;
        }
        else if ((_mcr & McrRts) != 0)
        {
            _rtsSeen = true;
        }
    }

    private void PullInput()
    {
        bool byInterrupt = (_ier & IerReceive) != 0 && (_mcr & McrOut2) != 0 && (!_rtsSeen || (_mcr & McrRts) != 0);
        if (Loopback || DivisorAccess || (!byInterrupt && _polls < PollThreshold))
        {
            return;
        }

        int capacity = FifoEnabled ? FifoSize : 1;
        while (_receive.Count < capacity && _input.TryTake(out byte value))
        {
            Receive(value);
        }
    }

    private byte PendingInterrupt()
    {
        if ((_ier & IerLine) != 0 && (_lineErrors & LsrErrors) != 0)
        {
            return 0x06;
        }

        if ((_ier & IerReceive) != 0)
        {
            if (_receive.Count >= TriggerLevel)
            {
                return 0x04;
            }

            if (_receive.Count > 0 && _timeoutPending)
            {
                return 0x0C;
            }
        }

        if ((_ier & IerTransmit) != 0 && _transmitPending)
        {
            return 0x02;
        }

        return (_ier & IerModem) != 0 && (_modem & 0x0F) != 0 ? (byte)0x00 : (byte)0x01;
    }

    /// <remarks>Often nothing can interrupt at all: with a console that polls, at each access.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void UpdateInterrupt()
    {
        if (_ier != 0 || _asserted || _receive.Count != 0)
        {
            UpdateLine();
        }
    }

    private void UpdateLine()
    {
        if (_receive.Count > 0 && _receive.Count < TriggerLevel)
        {
            // The line never sends slowly: what is below the trigger level is by definition the timed-out rest.
            _timeoutPending = true;
        }

        // OUT2 gates the interrupt on PC boards; loopback cuts the outputs off.
        bool assert = PendingInterrupt() != 0x01 && (_mcr & McrOut2) != 0 && !Loopback;
        if (assert != _asserted)
        {
            _asserted = assert;
            _irq(assert);
        }
    }
}
