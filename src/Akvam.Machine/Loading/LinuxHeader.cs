using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>The setup header of a Linux kernel image [Linux x86 boot protocol, "The Real-Mode Kernel Header"].</summary>
public readonly struct LinuxHeader
{
    private const int HeaderStart = 0x1F1;
    private const uint Magic = 0x5372_6448;         // "HdrS"

    private readonly byte[] _image;

    private LinuxHeader(byte[] image) => _image = image;

    /// <summary>The protocol version, 020Ch for 2.12.</summary>
    public ushort Version => U16(0x206);

    /// <summary>Where the protected-mode part starts in the file.</summary>
    public int SetupBytes => ((_image[0x1F1] == 0 ? 4 : _image[0x1F1]) + 1) * 512;

    /// <summary>The size of the protected-mode part in bytes.</summary>
    public long ProtectedBytes => 16L * (Version >= 0x204 ? U32(0x1F4) : U16(0x1F4));

    /// <summary>Whether the protected-mode part goes to 1 MiB and up.</summary>
    public bool LoadedHigh => (_image[0x211] & 1) != 0;

    /// <summary>Whether the kernel has an entry point for 64-bit mode, 200h past its load address.</summary>
    public bool Has64BitEntry => Version >= 0x20C && (U16(0x236) & 1) != 0;

    /// <summary>The 32-bit entry point, if the kernel is not moved.</summary>
    public uint Code32Start => U32(0x214);

    /// <summary>The highest address a byte of the initial RAM disk may have.</summary>
    public uint InitrdMax => Version >= 0x203 ? U32(0x22C) : 0x37FF_FFFF;

    /// <summary>The longest command line, without its terminator.</summary>
    public int CommandLineMax => Version >= 0x206 ? (int)Math.Min(U32(0x238), 0xFFFF) : 255;

    /// <summary>Whether the protected-mode part runs anywhere aligned.</summary>
    public bool Relocatable => Version >= 0x205 && _image[0x234] != 0;

    /// <summary>The alignment of the load address.</summary>
    public ulong Alignment => Version >= 0x205 ? Math.Max(U32(0x230), 1) : 1;

    /// <summary>Where the kernel likes to be loaded.</summary>
    public ulong PreferredAddress => Version >= 0x20A ? BinaryPrimitives.ReadUInt64LittleEndian(_image.AsSpan(0x258)) : 0x100000;

    /// <summary>The memory the kernel needs from its load address until it knows the memory map.</summary>
    public ulong InitBytes => Version >= 0x20A ? Math.Max(U32(0x260), (ulong)ProtectedBytes) : (ulong)ProtectedBytes;

    /// <summary>Whether <paramref name="image"/> has the header.</summary>
    public static bool IsPresent(ReadOnlySpan<byte> image) =>
        image.Length >= 0x206 && BinaryPrimitives.ReadUInt32LittleEndian(image[0x202..]) == Magic
        && BinaryPrimitives.ReadUInt16LittleEndian(image[0x1FE..]) == 0xAA55;

    /// <summary>Reads and checks the header.</summary>
    /// <param name="name">The image's name, for messages.</param>
    /// <param name="image">The image, or as much of it as the header is in.</param>
    /// <param name="length">Bytes of the whole image.</param>
    /// <exception cref="MachineException">The image is truncated or too old.</exception>
    public static LinuxHeader Read(string name, byte[] image, long length)
    {
        if (!IsPresent(image))
        {
            throw new MachineException($"{name}: is not a Linux kernel image");
        }

        var header = new LinuxHeader(image);
        if (image.Length < 0x268 || length < header.SetupBytes)
        {
            throw new MachineException($"{name}: truncated: the setup part of the kernel is cut off");
        }

        if (header.Version < 0x202 || !header.LoadedHigh)
        {
            throw new MachineException($"{name}: is a zImage or uses a boot protocol before 2.02 ({header.Version >> 8}.{header.Version & 0xFF:D2}); not supported");
        }

        long need = header.SetupBytes + header.ProtectedBytes;
        return length >= need
            ? header
            : throw new MachineException($"{name}: truncated: the kernel has {need} bytes, the file only {length}");
    }

    /// <summary>Copies the header into the boot parameters, at the same offset.</summary>
    public void CopyTo(Span<byte> bootParameters)
    {
        int end = 0x202 + _image[0x201];
        _image.AsSpan(HeaderStart, Math.Min(end, 0x290) - HeaderStart).CopyTo(bootParameters[HeaderStart..]);
    }

    private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan(offset));

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(offset));
}
