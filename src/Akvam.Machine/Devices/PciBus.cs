namespace Akvam.Machine.Devices;

/// <summary>PCI bus 0 behind configuration mechanism 1, ports CF8h-CFFh [PCI 2.1, 3.7.4.1], and the reset port inside it.</summary>
/// <remarks>The board decodes CF9h as a byte only; a doubleword at CF8h is the configuration address, as on PIIX3.</remarks>
public sealed class PciBus(BoardControl control) : IPortDevice
{
    private const uint Enable = 0x8000_0000;

    private readonly Dictionary<int, PciFunction> _functions = [];
    private uint _address;
    private byte _resetControl;

    /// <summary>Puts a function on the bus.</summary>
    public void Add(int device, int function, PciFunction implementation) => _functions.Add((device << 3) | function, implementation);

    public uint Read(ushort port, int size)
    {
        if (port >= 0xCFC)
        {
            return Target(port, size, out int register) is { } function ? function.Read(register, size) : uint.MaxValue;
        }

        return port switch
        {
            0xCF8 when size == 4 => _address,
            0xCF9 when size == 1 => _resetControl,
            _ => uint.MaxValue,
        };
    }

    public void Write(ushort port, int size, uint value)
    {
        if (port >= 0xCFC)
        {
            Target(port, size, out int register)?.Write(register, size, value);
        }
        else if (port == 0xCF8 && size == 4)
        {
            _address = value & 0x80FF_FFFC;
        }
        else if (port == 0xCF9 && size == 1)
        {
            WriteResetControl((byte)value);
        }
    }

    /// <summary>RCPU (bit 2) resets on its rising edge; SRST (bit 1) says how hard [PIIX3 datasheet, RC].</summary>
    private void WriteResetControl(byte value)
    {
        bool reset = (value & ~_resetControl & 0x04) != 0;
        _resetControl = (byte)(value & 0x06);
        if (reset)
        {
            control.RequestReset("port CF9h");
        }
    }

    private PciFunction? Target(ushort port, int size, out int register)
    {
        register = (int)(_address & 0xFC) | (port & 3);
        bool inside = (port & 3) + size <= 4;
        bool busZero = (_address & 0x00FF_0000) == 0;
        if ((_address & Enable) == 0 || !inside || !busZero)
        {
            return null;
        }

        return _functions.GetValueOrDefault((int)(_address >> 8) & 0xFF);
    }
}
