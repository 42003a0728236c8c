namespace Akvam.Machine.Devices;

/// <summary>The 8042 keyboard controller, ports 60h and 64h, with a keyboard nobody types on and no mouse.</summary>
/// <remarks>What matters on a machine with a serial console is the controller: the A20 gate, the reset pulse, and answers to the probes
/// of operating systems.</remarks>
public sealed class KeyboardController : IPortDevice
{
    private const byte StatusOutputFull = 0x01, StatusSelfTest = 0x04, StatusCommand = 0x08, StatusUnlocked = 0x10;
    private const byte ConfigKeyboardIrq = 0x01, ConfigSelfTest = 0x04, ConfigKeyboardOff = 0x10, ConfigMouseOff = 0x20;
    private const byte OutputResetLine = 0x01, OutputA20 = 0x02;

    private readonly IrqLine _irq;
    private readonly BoardControl _control;
    private readonly Queue<byte> _output = new();
    private readonly byte[] _memory = new byte[32];

    private byte _pendingCommand;
    private byte _keyboardCommand;
    private bool _lastWasCommand;

    /// <param name="irq">IRQ 1.</param>
    /// <param name="control">The board's A20 gate and reset line.</param>
    public KeyboardController(IrqLine irq, BoardControl control)
    {
        _irq = irq;
        _control = control;
        _memory[0] = ConfigKeyboardIrq | ConfigSelfTest | ConfigMouseOff;
    }

    public uint Read(ushort port, int size)
    {
        if (port != 0x60)
        {
            return (uint)((_output.Count > 0 ? StatusOutputFull : 0) | StatusSelfTest | StatusUnlocked | (_lastWasCommand ? StatusCommand : 0));
        }

        byte value = _output.Count > 0 ? _output.Dequeue() : (byte)0;
        _irq(false);
        RaiseIfFull();
        return value;
    }

    public void Write(ushort port, int size, uint value)
    {
        _lastWasCommand = port == 0x64;
        if (_lastWasCommand)
        {
            Command((byte)value);
        }
        else if (_pendingCommand != 0)
        {
            byte command = _pendingCommand;
            _pendingCommand = 0;
            CommandData(command, (byte)value);
        }
        else
        {
            KeyboardByte((byte)value);
        }
    }

    private void Command(byte command)
    {
        _pendingCommand = 0;
        switch (command)
        {
            case >= 0x20 and <= 0x3F:
                Send(_memory[command - 0x20]);
                break;
            case >= 0x60 and <= 0x7F:
            case >= 0xD1 and <= 0xD4:
                _pendingCommand = command;
                break;
            case 0xA7:
                _memory[0] |= ConfigMouseOff;
                break;
            case 0xA8:
                _memory[0] = (byte)(_memory[0] & ~ConfigMouseOff);
                break;
            case 0xA9:
                Send(0x02);         // mouse clock line stuck: there is no mouse port
                break;
            case 0xAA:
                _memory[0] |= ConfigSelfTest;
                Send(0x55);
                break;
            case 0xAB:
                Send(0x00);
                break;
            case 0xAD:
                _memory[0] |= ConfigKeyboardOff;
                break;
            case 0xAE:
                _memory[0] = (byte)(_memory[0] & ~ConfigKeyboardOff);
                break;
            case 0xC0:
                Send(0x80);         // input port: keyboard not locked
                break;
            case 0xD0:
                Send((byte)(OutputResetLine | (_control.A20 ? OutputA20 : 0) | (_output.Count > 0 ? 0x10 : 0)));
                break;
            case 0xDD:
                _control.A20 = false;
                break;
            case 0xDF:
                _control.A20 = true;
                break;
            case 0xE0:
                Send(0x00);
                break;
            case >= 0xF0:
                // The four low bits are lines to pull low for 6 µs; line 0 is the processor's reset.
                if ((command & 1) == 0)
                {
                    _control.RequestReset($"i8042 command {command:X2}h");
                }

                break;
            default:
                break;              // unknown commands have no effect on the real controller either
        }
    }

    private void CommandData(byte command, byte data)
    {
        switch (command)
        {
            case >= 0x60 and <= 0x7F:
                _memory[command - 0x60] = data;
                RaiseIfFull();
                break;
            case 0xD1:
                _control.A20 = (data & OutputA20) != 0;
                if ((data & OutputResetLine) == 0)
                {
                    _control.RequestReset("i8042 output port");
                }

                break;
            case 0xD2:
            case 0xD3:
                Send(data);
                break;
            default:
                break;              // D4h: to the mouse that is not there
        }
    }

    private void KeyboardByte(byte data)
    {
        _memory[0] = (byte)(_memory[0] & ~ConfigKeyboardOff);
        if (_keyboardCommand != 0)
        {
            // The argument of set-LEDs, set-scan-code or set-typematic.
            byte command = _keyboardCommand;
            _keyboardCommand = 0;
            Send(0xFA);
            if (command == 0xF0 && data == 0)
            {
                Send(0x02);
            }

            return;
        }

        switch (data)
        {
            case 0xFF:
                Send(0xFA);
                Send(0xAA);
                break;
            case 0xF2:
                Send(0xFA);
                Send(0xAB);
                Send(0x83);
                break;
            case 0xEE:
                Send(0xEE);
                break;
            case 0xED or 0xF0 or 0xF3:
                _keyboardCommand = data;
                Send(0xFA);
                break;
            case >= 0xF4 and <= 0xF6:
                Send(0xFA);
                break;
            default:
                Send(0xFE);         // resend: not a command of this keyboard
                break;
        }
    }

    private void Send(byte value)
    {
        if (_output.Count < 16)
        {
            _output.Enqueue(value);
        }

        RaiseIfFull();
    }

    private void RaiseIfFull()
    {
        if (_output.Count > 0 && (_memory[0] & ConfigKeyboardIrq) != 0)
        {
            _irq(true);
        }
    }
}
