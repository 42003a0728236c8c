using System.Buffers.Binary;
using System.Text;

namespace Akvam.Machine.Firmware;

/// <summary>Writes the few AML terms our tables need [ACPI 20.2].</summary>
internal sealed class AmlWriter
{
    private const byte ZeroOp = 0x00, OneOp = 0x01, NameOp = 0x08, BytePrefix = 0x0A, WordPrefix = 0x0B, DwordPrefix = 0x0C, StringPrefix = 0x0D;
    private const byte ScopeOp = 0x10, BufferOp = 0x11, PackageOp = 0x12, ExtOp = 0x5B, DeviceOp = 0x82;

    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    /// <summary>Scope (path) { … }; a path like <c>\_SB</c> or a single name.</summary>
    public AmlWriter Scope(string path, Action<AmlWriter> body) => Block([ScopeOp], w => w.Path(path), body);

    /// <summary>Device (name) { … }.</summary>
    public AmlWriter Device(string name, Action<AmlWriter> body) => Block([ExtOp, DeviceOp], w => w.Path(name), body);

    /// <summary>Name (name, integer).</summary>
    public AmlWriter Name(string name, uint value)
    {
        _bytes.Add(NameOp);
        Path(name);
        return Integer(value);
    }

    /// <summary>Name (name, "text").</summary>
    public AmlWriter Name(string name, string text)
    {
        _bytes.Add(NameOp);
        Path(name);
        _bytes.Add(StringPrefix);
        _bytes.AddRange(Encoding.ASCII.GetBytes(text));
        _bytes.Add(0);
        return this;
    }

    /// <summary>Name (name, EisaId ("ABC1234")).</summary>
    public AmlWriter NameEisaId(string name, string id) => Name(name, EisaId(id));

    /// <summary>Name (name, Package { integers }).</summary>
    public AmlWriter NamePackage(string name, params ReadOnlySpan<uint> values)
    {
        _bytes.Add(NameOp);
        Path(name);
        var inner = new AmlWriter();
        inner._bytes.Add((byte)values.Length);
        foreach (uint value in values)
        {
            inner.Integer(value);
        }

        _bytes.Add(PackageOp);
        return WithLength(inner);
    }

    /// <summary>Name (name, Buffer { bytes }), as resource templates are stored.</summary>
    public AmlWriter NameBuffer(string name, ReadOnlySpan<byte> content)
    {
        _bytes.Add(NameOp);
        Path(name);
        var inner = new AmlWriter();
        inner.Integer((uint)content.Length);
        inner._bytes.AddRange(content);
        _bytes.Add(BufferOp);
        return WithLength(inner);
    }

    /// <summary>A compressed EISA identity [ACPI 19.3.4, EISAID]: three letters of five bits, four hex digits, big endian.</summary>
    public static uint EisaId(string id)
    {
        uint letters = (uint)(((id[0] - '@') << 10) | ((id[1] - '@') << 5) | (id[2] - '@'));
        uint value = (letters << 16) | Convert.ToUInt16(id[3..], 16);
        return BinaryPrimitives.ReverseEndianness(value);
    }

    private AmlWriter Block(ReadOnlySpan<byte> opcode, Action<AmlWriter> head, Action<AmlWriter> body)
    {
        _bytes.AddRange(opcode);
        var inner = new AmlWriter();
        head(inner);
        body(inner);
        return WithLength(inner);
    }

    /// <summary>PkgLength counts its own bytes; 6 bits in one byte, or 4 bits and one or two further bytes [ACPI 20.2.4].</summary>
    private AmlWriter WithLength(AmlWriter inner)
    {
        int length = inner._bytes.Count;
        if (length + 1 < 0x40)
        {
            _bytes.Add((byte)(length + 1));
        }
        else if (length + 2 < 0x1000)
        {
            int total = length + 2;
            _bytes.Add((byte)(0x40 | (total & 0x0F)));
            _bytes.Add((byte)(total >> 4));
        }
        else
        {
            int total = length + 3;
            _bytes.Add((byte)(0x80 | (total & 0x0F)));
            _bytes.Add((byte)(total >> 4));
            _bytes.Add((byte)(total >> 12));
        }

        _bytes.AddRange(inner._bytes);
        return this;
    }

    private void Path(string path)
    {
        if (path.StartsWith('\\'))
        {
            _bytes.Add((byte)'\\');
            path = path[1..];
        }

        _bytes.AddRange(Encoding.ASCII.GetBytes(path.PadRight(4, '_')));
    }

    private AmlWriter Integer(uint value)
    {
        switch (value)
        {
            case 0:
                _bytes.Add(ZeroOp);
                break;
            case 1:
                _bytes.Add(OneOp);
                break;
            case <= 0xFF:
                _bytes.Add(BytePrefix);
                _bytes.Add((byte)value);
                break;
            case <= 0xFFFF:
                _bytes.Add(WordPrefix);
                _bytes.AddRange([(byte)value, (byte)(value >> 8)]);
                break;
            default:
                _bytes.Add(DwordPrefix);
                _bytes.AddRange([(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)]);
                break;
        }

        return this;
    }
}
