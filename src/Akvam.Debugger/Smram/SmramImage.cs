using System.Buffers.Binary;

namespace Akvam.Debugger.Smram;

/// <summary>A state-save image and how to read it.</summary>
public sealed class SmramImage
{
    /// <summary>Bytes of an image.</summary>
    public const int Size = 512;

    /// <summary>Where it starts, in bytes from SMBASE.</summary>
    public const int Start = 0xFE00;

    private const int Present = 1 << 7, Valid = 1 << 8, RightsMask = 0xF0FF;

    private readonly byte[] _bytes;

    /// <summary>An image of its own; later changes of the bytes given do not show.</summary>
    /// <exception cref="SmramException">It is not of <see cref="Size"/>.</exception>
    public SmramImage(ReadOnlySpan<byte> bytes, SmramFormat format)
    {
        if (bytes.Length != Size)
        {
            throw new SmramException($"an image has {Size} bytes, not {bytes.Length}");
        }

        _bytes = bytes.ToArray();
        Format = format;
    }

    /// <summary>How it is laid out.</summary>
    public SmramFormat Format { get; }

    /// <summary>All of it.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A field's value by name; 0 where the format has no such field.</summary>
    public ulong this[string name] => SmramMaps.Find(Format, name) is { } field ? Read(field) : 0;

    /// <summary>A field's value; attributes as <see cref="RightsPacking.Word"/>.</summary>
    public ulong Read(SmramField field)
    {
        ArgumentNullException.ThrowIfNull(field);
        ulong raw = ReadRaw(field);
        return field.Kind == SmramFieldKind.Rights ? Unpack(raw, field.Packing) : raw;
    }

    /// <summary>A field's bytes as a number.</summary>
    public ulong ReadRaw(SmramField field)
    {
        ArgumentNullException.ThrowIfNull(field);
        ReadOnlySpan<byte> at = _bytes.AsSpan(field.Offset - Start, field.Width);
        return field.Width switch
        {
            1 => at[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(at),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(at),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(at),
        };
    }

    /// <summary>Changes a field; attributes are given as <see cref="RightsPacking.Word"/>.</summary>
    public void Write(SmramField field, ulong value)
    {
        ArgumentNullException.ThrowIfNull(field);
        Span<byte> all = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(all, field.Kind == SmramFieldKind.Rights ? Pack(value, field.Packing) : value);
        all[..field.Width].CopyTo(_bytes.AsSpan(field.Offset - Start));
    }

    /// <summary>Offsets from SMBASE of bytes that belong to no field and are not zero.</summary>
    public IEnumerable<int> ReservedBytesInUse()
    {
        var known = new bool[Size];
        foreach (SmramField field in SmramMaps.Fields(Format))
        {
            known.AsSpan(field.Offset - Start, field.Width).Fill(true);
        }

        return Enumerable.Range(0, Size).Where(i => !known[i] && _bytes[i] != 0).Select(i => i + Start);
    }

    private static ulong Unpack(ulong raw, RightsPacking packing) => (packing == RightsPacking.Descriptor ? raw >> 8 : raw) & RightsMask;

    private static ulong Pack(ulong rights, RightsPacking packing) => packing switch
    {
        RightsPacking.Descriptor => rights << 8,
        RightsPacking.WordAndValid when (rights & Present) != 0 => rights | Valid,
        _ => rights,
    };
}
