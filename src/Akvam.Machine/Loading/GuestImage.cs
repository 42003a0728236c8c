using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>A guest image read from a file, with its kind worked out from its content.</summary>
public sealed class GuestImage
{
    /// <summary>No image we load is near this; it keeps a mistyped path to a disk from eating the memory.</summary>
    private const long MaximumBytes = 1L << 30;

    /// <summary>What a file is read of to work out its kind.</summary>
    private const int StartBytes = 64 << 10;

    private byte[]? _bytes;

    private GuestImage(string name, byte[] start, long length, ImageKind kind)
    {
        Name = name;
        Start = start;
        Length = length;
        Kind = kind;
    }

    /// <summary>The path as the user gave it, for messages.</summary>
    public string Name { get; }

    /// <summary>The first 64 KiB of the file, or all of it.</summary>
    public byte[] Start { get; }

    /// <summary>Bytes of the whole file.</summary>
    public long Length { get; }

    /// <summary>The whole file.</summary>
    /// <exception cref="MachineException">It cannot be read any more.</exception>
    public byte[] Bytes => _bytes ??= Start.Length == Length ? Start : ReadFile(Name);

    /// <summary>What it is.</summary>
    public ImageKind Kind { get; }

    /// <summary>Reads and classifies a file. Of a kernel only the start is read now.</summary>
    /// <exception cref="MachineException">The file cannot be read, or is of no kind that can be run.</exception>
    public static GuestImage Open(string path)
    {
        using FileStream file = OpenFile(path);
        if (LengthOf(file) > StartBytes)
        {
            byte[] start = new byte[StartBytes];
            Read(path, file, 0, start);
            if (IsBzImage(start))
            {
                return new GuestImage(path, start, file.Length, ImageKind.LinuxBzImage);
            }

            file.Position = 0;
        }

        return FromBytes(path, ReadFile(path, file));
    }

    /// <summary>Classifies bytes already in memory.</summary>
    /// <exception cref="MachineException">They are of no kind that can be run.</exception>
    public static GuestImage FromBytes(string name, byte[] bytes) => new(name, bytes, bytes.Length, Classify(name, bytes));

    /// <summary>Reads a whole file, with a message for each way that can fail.</summary>
    /// <exception cref="MachineException">The file cannot be read, is empty or too large.</exception>
    public static byte[] ReadFile(string path)
    {
        using FileStream file = OpenFile(path);
        return ReadFile(path, file);
    }

    /// <summary>
    /// Copies a part of the file, as long as the target is. A kernel goes straight to where it is loaded: fresh memory for a copy in between costs more than to read it.
    /// </summary>
    /// <exception cref="MachineException">The file cannot be read any more, or has become shorter.</exception>
    public void CopyTo(long offset, Span<byte> target)
    {
        if (Start.Length == Length)
        {
            Start.AsSpan((int)offset, target.Length).CopyTo(target);
            return;
        }

        using FileStream file = OpenFile(Name);
        Read(Name, file, offset, target);
    }

    private static void Read(string path, FileStream file, long offset, Span<byte> target)
    {
        try
        {
            file.Position = offset;
            if (file.ReadAtLeast(target, target.Length, throwOnEndOfStream: false) != target.Length)
            {
                throw new MachineException($"{path}: has become shorter while it was read");
            }
        }
        catch (Exception e) when (Explain(path, e) is { } error)
        {
            throw error;
        }
    }

    private static byte[] ReadFile(string path, FileStream file)
    {
        try
        {
            byte[] bytes = ReadToEnd(file);
            return bytes.Length > 0 ? bytes : throw new MachineException($"{path}: is empty");
        }
        catch (Exception e) when (Explain(path, e) is { } error)
        {
            throw error;
        }
    }

    private static FileStream OpenFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new MachineException($"{path}: is a directory");
        }

        try
        {
            // What is read is large, or all of it is.
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            if (LengthOf(file) <= MaximumBytes)
            {
                return file;
            }

            using (file)
            {
                throw new MachineException($"{path}: {file.Length >> 20} MiB is more than an image can have ({MaximumBytes >> 20} MiB)");
            }
        }
        catch (Exception e) when (Explain(path, e) is { } error)
        {
            throw error;
        }
    }

    /// <summary>0: it is a pipe, or the like.</summary>
    private static long LengthOf(FileStream file) => file.CanSeek ? file.Length : 0;

    /// <summary>What went wrong with a file; null: something else.</summary>
    private static MachineException? Explain(string path, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new MachineException($"{path}: no such file", e),
        UnauthorizedAccessException => new MachineException($"{path}: permission denied", e),
        IOException or ArgumentException or NotSupportedException => new MachineException($"{path}: cannot be read: {e.Message}", e),
        _ => null,
    };

    /// <summary>Into one array where the length is known: a buffer that grows would leave three times a kernel's size behind.</summary>
    private static byte[] ReadToEnd(FileStream file)
    {
        byte[] start = new byte[LengthOf(file)];
        int count = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        int next = count == start.Length ? file.ReadByte() : -1;
        if (next < 0)
        {
            return count == start.Length ? start : start[..count];
        }

        // A pipe, or a file that is longer than it says, as those in /proc are.
        using var rest = new MemoryStream();
        rest.Write(start);
        rest.WriteByte((byte)next);
        file.CopyTo(rest);
        return rest.ToArray();
    }

    private static bool IsElf(ReadOnlySpan<byte> start) => start.StartsWith("\x7F"u8) && start[1..].StartsWith("ELF"u8);

    /// <summary>The start is enough to know.</summary>
    private static bool IsBzImage(ReadOnlySpan<byte> start) => MultibootHeader.Find(start) is null && !IsElf(start) && LinuxHeader.IsPresent(start);

    private static ImageKind Classify(string name, byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            throw new MachineException($"{name}: is empty");
        }

        if (MultibootHeader.Find(bytes) is not null)
        {
            return ImageKind.Multiboot;
        }

        if (IsElf(bytes))
        {
            return ClassifyElf(name, bytes);
        }

        if (IsBzImage(bytes))
        {
            return ImageKind.LinuxBzImage;
        }

        RejectKnownStrangers(name, bytes);
        return FirmwareLoader.LooksLikeFirmware(bytes) ? ImageKind.Firmware : ImageKind.Flat;
    }

    private static ImageKind ClassifyElf(string name, byte[] bytes)
    {
        ElfImage elf = ElfImage.Parse(name, bytes);
        if (elf.HasInterpreter)
        {
            throw new MachineException($"{name}: is a program for an operating system (it asks for a dynamic linker), not a guest image");
        }

        return elf.Is64Bit
            ? ImageKind.LinuxElf
            : throw new MachineException($"{name}: is a 32-bit ELF file without a multiboot header");
    }

    private static void RejectKnownStrangers(string name, byte[] bytes)
    {
        ReadOnlySpan<byte> start = bytes;
        string? what =
            start.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]) ? "is compressed with gzip; decompress it first"
            : start.StartsWith((ReadOnlySpan<byte>)[0xFD, .. "7zXZ"u8]) ? "is compressed with xz; decompress it first"
            : start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) ? "is compressed with zstd; decompress it first"
            : start.StartsWith("070701"u8) ? "is a cpio archive; pass it as --initrd"
            : start.StartsWith("!<arch>"u8) ? "is a package or library archive, not a guest image"
            : start.StartsWith("QFI\xFB"u8) || start.StartsWith((ReadOnlySpan<byte>)[0x51, 0x46, 0x49, 0xFB]) ? "is a QCOW2 disk image; disks are not supported"
            : start.StartsWith("#!"u8) ? "is a script, not a guest image"
            : IsPortableExecutable(start) ? "is an EFI or Windows program without a Linux boot header"
            : null;
        if (what is not null)
        {
            throw new MachineException($"{name}: {what}");
        }
    }

    private static bool IsPortableExecutable(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 0x40 || !bytes.StartsWith("MZ"u8))
        {
            return false;
        }

        uint header = BinaryPrimitives.ReadUInt32LittleEndian(bytes[0x3C..]);
        return header + 4 <= bytes.Length && bytes[(int)header..].StartsWith("PE\0\0"u8);
    }
}
