using System.Buffers.Binary;

namespace Akvam.Machine.Devices;

/// <summary>The 256-byte configuration space of one PCI function, with a mask of writable bits.</summary>
public class PciFunction
{
    private readonly byte[] _config = new byte[256];
    private readonly byte[] _writable = new byte[256];

    /// <param name="vendor">Vendor identity.</param>
    /// <param name="device">Device identity.</param>
    /// <param name="classCode">Class, subclass and programming interface, 24 bits.</param>
    /// <param name="revision">Revision.</param>
    /// <param name="multifunction">Whether function 0 announces further functions.</param>
    public PciFunction(ushort vendor, ushort device, int classCode, byte revision, bool multifunction = false)
    {
        SetWord(0x00, vendor);
        SetWord(0x02, device);
        _config[0x08] = revision;
        _config[0x09] = (byte)classCode;
        _config[0x0A] = (byte)(classCode >> 8);
        _config[0x0B] = (byte)(classCode >> 16);
        _config[0x0E] = (byte)(multifunction ? 0x80 : 0);
        AllowWrites(0x04, 0x07, 0x01);          // command: I/O, memory, master, SERR enable
        AllowWrites(0x3C, 0xFF);                // interrupt line, for the guest's own use
    }

    /// <summary>Reads 1, 2 or 4 bytes, little endian; never crosses a doubleword.</summary>
    public uint Read(int register, int size)
    {
        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            value |= (uint)_config[register + i] << (8 * i);
        }

        return value;
    }

    /// <summary>Writes 1, 2 or 4 bytes through the mask and tells the function what changed.</summary>
    public void Write(int register, int size, uint value)
    {
        for (int i = 0; i < size; i++)
        {
            WriteByte(register + i, (byte)(value >> (8 * i)));
        }

        OnWritten(register, size);
    }

    /// <summary>One byte, as it is.</summary>
    public byte this[int register]
    {
        get => _config[register];
        protected set => _config[register] = value;
    }

    /// <summary>Writes one byte through the mask of writable bits.</summary>
    protected virtual void WriteByte(int register, byte value) =>
        _config[register] = (byte)((_config[register] & ~_writable[register]) | (value & _writable[register]));

    /// <summary>Called after a write reached the configuration space.</summary>
    protected virtual void OnWritten(int register, int size)
    {
    }

    /// <summary>Makes bits of consecutive registers writable.</summary>
    protected void AllowWrites(int first, params ReadOnlySpan<byte> masks) => masks.CopyTo(_writable.AsSpan(first));

    /// <summary>Sets two bytes, whatever the mask says.</summary>
    protected void SetWord(int register, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_config.AsSpan(register), value);

    /// <summary>Sets four bytes, whatever the mask says.</summary>
    protected void SetDoubleword(int register, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_config.AsSpan(register), value);
}
