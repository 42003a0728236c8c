using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>A guest image read from a file, with its kind worked out from its content.</summary>
public sealed class GuestImage
{
    /// <summary>No image we load is near this; it keeps a mistyped path to a disk from eating the memory.</summary>
    private const long MaximumBytes = 1L << 30;

    private GuestImage(string name, byte[] bytes, ImageKind kind)
    {
        Name = name;
        Bytes = bytes;
        Kind = kind;
    }

    /// <summary>The path as the user gave it, for messages.</summary>
    public string Name { get; }

    /// <summary>The whole file.</summary>
    public byte[] Bytes { get; }

    /// <summary>What it is.</summary>
    public ImageKind Kind { get; }

    /// <summary>Reads and classifies a file.</summary>
    /// <exception cref="MachineException">The file cannot be read, or is of no kind that can be run.</exception>
    public static GuestImage Open(string path) => FromBytes(path, ReadFile(path));

    /// <summary>Classifies bytes already in memory.</summary>
    /// <exception cref="MachineException">They are of no kind that can be run.</exception>
    public static GuestImage FromBytes(string name, byte[] bytes) => new(name, bytes, Classify(name, bytes));

    /// <summary>Reads a whole file, with a message for each way that can fail.</summary>
    /// <exception cref="MachineException">The file cannot be read, is empty or too large.</exception>
    public static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new MachineException($"{path}: is a directory");
        }

        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.CanSeek && file.Length > MaximumBytes)
            {
                throw new MachineException($"{path}: {file.Length >> 20} MiB is more than an image can have ({MaximumBytes >> 20} MiB)");
            }

            byte[] bytes = ReadToEnd(file);
            return bytes.Length > 0 ? bytes : throw new MachineException($"{path}: is empty");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MachineException($"{path}: no such file", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new MachineException($"{path}: permission denied", e);
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            throw new MachineException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Into one array where the length is known: a buffer that grows would leave three times a kernel's size behind.</summary>
    private static byte[] ReadToEnd(FileStream file)
    {
        byte[] start = new byte[file.CanSeek ? file.Length : 0];
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

        if (bytes.AsSpan().StartsWith("\x7F"u8) && bytes.AsSpan(1).StartsWith("ELF"u8))
        {
            return ClassifyElf(name, bytes);
        }

        if (LinuxHeader.IsPresent(bytes))
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
