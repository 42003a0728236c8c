using System.Buffers.Binary;

namespace Akvam.Devices;

/// <content>The register window and what lies behind it [82093AA 3.0].</content>
public sealed partial class Ioapic
{
    private const int SelectOffset = 0x00;
    private const int WindowOffset = 0x10;
    private const int EoiOffset = 0x40;
    private const uint IdIndex = 0;
    private const uint VersionIndex = 1;
    private const uint ArbitrationIndex = 2;
    private const uint TableIndex = 0x10;

    /// <summary>True if <paramref name="gpa"/> is in the register window.</summary>
    public bool Contains(ulong gpa) => gpa - BaseAddress < WindowSize;

    /// <summary>A guest read in the window; the register's four bytes, then zeros.</summary>
    public void ReadMmio(int offset, Span<byte> data)
    {
        uint value = ReadRegister(offset & 0xF0);
        int start = offset & 0xF;
        for (int i = 0; i < data.Length; i++)
        {
            data[i] = start + i < 4 ? (byte)(value >> ((start + i) * 8)) : (byte)0;
        }
    }

    /// <summary>A guest write in the window; shorter ones are extended with zeros, of eight bytes four count.</summary>
    public void WriteMmio(int offset, ReadOnlySpan<byte> data)
    {
        if ((offset & 0xF) != 0)
        {
            return;
        }

        uint value = data.Length switch
        {
            >= 4 => BinaryPrimitives.ReadUInt32LittleEndian(data),
            >= 2 => BinaryPrimitives.ReadUInt16LittleEndian(data),
            1 => data[0],
            _ => 0,
        };
        WriteRegister(offset & 0xF0, value);
    }

    /// <summary>Reads IOREGSEL (0x00) or IOWIN (0x10).</summary>
    public uint ReadRegister(int offset)
    {
        lock (_gate)
        {
            return offset switch
            {
                SelectOffset => _select,
                WindowOffset => ReadIndirect(),
                _ => 0,
            };
        }
    }

    /// <summary>Writes IOREGSEL (0x00), IOWIN (0x10) or, from version 0x20 on, EOI (0x40).</summary>
    public void WriteRegister(int offset, uint value)
    {
        switch (offset)
        {
            case SelectOffset:
                lock (_gate)
                {
                    _select = value & 0xFF;
                }

                break;
            case WindowOffset:
                WriteIndirect(value);
                break;
            case EoiOffset when _version >= VersionWithEoi:
                Finish((byte)value, edges: false, levels: true);
                break;
        }
    }

    private uint ReadIndirect()
    {
        switch (_select)
        {
            case IdIndex or ArbitrationIndex:
                return (_id & 0xF) << 24;
            case VersionIndex:
                return ((PinCount - 1) << 16) | (uint)_version;
            default:
                uint index = _select - TableIndex;
                return index < PinCount * 2 ? (uint)(_table[index >> 1] >> (int)((index & 1) * 32)) : uint.MaxValue;
        }
    }

    private void WriteIndirect(uint value)
    {
        int pin;
        bool masked;
        lock (_gate)
        {
            if (_select == IdIndex)
            {
                _id = (value >> 24) & 0xF;
                return;
            }

            uint index = _select - TableIndex;
            if (index >= PinCount * 2)
            {
                return;
            }

            pin = (int)index >> 1;
            bool wasMasked = new RedirectionEntry(_table[pin]).IsMasked;
            WriteEntry(pin, (index & 1) != 0, value);
            masked = new RedirectionEntry(_table[pin]).IsMasked;
            if (masked == wasMasked)
            {
                return;
            }
        }

        _observer?.MaskChanged(IrqChipId.KVM_IRQCHIP_IOAPIC, pin, masked);
    }

    private void WriteEntry(int pin, bool upper, uint value)
    {
        ulong old = _table[pin];
        if (upper)
        {
            _table[pin] = (uint)old | ((ulong)value << 32);
            return;
        }

        const ulong ReadOnlyBits = RedirectionEntry.RemoteIrr | RedirectionEntry.DeliveryStatus;
        ulong entry = (old & (ReadOnlyBits | 0xFFFF_FFFF_0000_0000)) | (value & ~ReadOnlyBits & 0x1_FFFF);
        if ((entry & RedirectionEntry.Level) == 0)
        {
            // Software without an EOI register clears a stuck remote IRR by switching the pin to edge and back.
            entry &= ~RedirectionEntry.RemoteIrr;
        }

        _table[pin] = entry;
        UpdateHandled();
        if ((entry & RedirectionEntry.Level) != 0 && (_irr & (1u << pin)) != 0)
        {
            Service(pin);
        }
    }
}
