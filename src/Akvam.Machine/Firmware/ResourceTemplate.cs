namespace Akvam.Machine.Firmware;

/// <summary>Resource descriptors as _CRS buffers hold them [ACPI 6.4].</summary>
internal sealed class ResourceTemplate
{
    private const byte MemoryRange = 0, IoRange = 1, BusRange = 2;

    private readonly List<byte> _bytes = [];

    /// <summary>The buffer with its end tag, whose checksum byte 0 means "not checked".</summary>
    public byte[] ToArray() => [.. _bytes, 0x79, 0x00];

    /// <summary>Fixed I/O ports, decoded with 16 bits.</summary>
    public ResourceTemplate Ports(ushort first, byte count)
    {
        _bytes.AddRange([0x47, 0x01, (byte)first, (byte)(first >> 8), (byte)first, (byte)(first >> 8), 0x01, count]);
        return this;
    }

    /// <summary>An ISA interrupt: edge, active high, exclusive.</summary>
    public ResourceTemplate Irq(int line)
    {
        int mask = 1 << line;
        _bytes.AddRange([0x22, (byte)mask, (byte)(mask >> 8)]);
        return this;
    }

    /// <summary>The bus numbers below a host bridge.</summary>
    public ResourceTemplate Buses(ushort first, ushort last) => Word(BusRange, 0, first, last);

    /// <summary>A window of I/O ports a bridge passes on.</summary>
    public ResourceTemplate PortWindow(ushort first, ushort last) => Word(IoRange, 3, first, last);

    /// <summary>A window of memory a bridge passes on.</summary>
    public ResourceTemplate MemoryWindow(uint first, uint last)
    {
        // DWordMemory: producer, min and max fixed, read/write, not cacheable.
        _bytes.AddRange([0x87, 0x17, 0x00, MemoryRange, 0x0C, 0x01]);
        foreach (uint value in (ReadOnlySpan<uint>)[0, first, last, 0, last - first + 1])
        {
            _bytes.AddRange([(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)]);
        }

        return this;
    }

    private ResourceTemplate Word(byte type, byte specific, ushort first, ushort last)
    {
        _bytes.AddRange([0x88, 0x0D, 0x00, type, 0x0C, specific]);
        foreach (ushort value in (ReadOnlySpan<ushort>)[0, first, last, 0, (ushort)(last - first + 1)])
        {
            _bytes.AddRange([(byte)value, (byte)(value >> 8)]);
        }

        return this;
    }
}
