using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>The parts of an ELF file a loader needs: header and loadable segments [System V gABI, chapters 4 and 5].</summary>
public sealed class ElfImage
{
    private const ushort TypeExecutable = 2, TypeShared = 3;
    private const ushort Machine386 = 3, MachineX8664 = 62;
    private const uint SegmentLoad = 1, SegmentInterpreter = 3;

    private readonly string _name;
    private readonly byte[] _bytes;

    private ElfImage(string name, byte[] bytes, bool is64Bit)
    {
        _name = name;
        _bytes = bytes;
        Is64Bit = is64Bit;
    }

    /// <summary>Whether the file is ELF64.</summary>
    public bool Is64Bit { get; }

    /// <summary>The entry point as the file gives it, which is a virtual address.</summary>
    public ulong Entry { get; private set; }

    /// <summary>Whether the file asks for a dynamic linker, as programs of an operating system do.</summary>
    public bool HasInterpreter { get; private set; }

    /// <summary>The segments with something in memory, in the file's order.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; private set; } = [];

    /// <summary>The first physical address past the image.</summary>
    public ulong End => Segments.Max(s => s.PhysicalAddress + s.MemorySize);

    /// <summary>The first physical address of the image.</summary>
    public ulong Start => Segments.Min(s => s.PhysicalAddress);

    /// <summary>The entry point as a physical address: through the segment that holds it, else as it is.</summary>
    public ulong PhysicalEntry
    {
        get
        {
            // Some linker scripts give a virtual entry, others (Linux) a physical one already.
            foreach (ElfSegment s in Segments)
            {
                if (Entry >= s.VirtualAddress && Entry - s.VirtualAddress < s.MemorySize)
                {
                    return Entry - s.VirtualAddress + s.PhysicalAddress;
                }
            }

            return Entry;
        }
    }

    /// <summary>Reads the headers.</summary>
    /// <exception cref="MachineException">The file is damaged, truncated or not for x86.</exception>
    public static ElfImage Parse(string name, byte[] bytes)
    {
        if (bytes.Length < 52)
        {
            throw new MachineException($"{name}: truncated: the ELF header is cut off");
        }

        bool is64 = bytes[4] switch
        {
            1 => false,
            2 => true,
            _ => throw new MachineException($"{name}: damaged ELF header (class {bytes[4]})"),
        };
        if (bytes[5] != 1)
        {
            throw new MachineException($"{name}: is a big-endian ELF file, not one for x86");
        }

        var image = new ElfImage(name, bytes, is64);
        image.ReadHeader();
        return image;
    }

    /// <summary>Copies the segments to memory and clears what the file does not fill.</summary>
    /// <exception cref="MachineException">A segment lies outside the guest's RAM.</exception>
    public void Load(IGuestMemory memory)
    {
        foreach (ElfSegment s in Segments)
        {
            Span<byte> target;
            try
            {
                target = memory.Slice(s.PhysicalAddress, checked((int)s.MemorySize));
            }
            catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
            {
                throw new MachineException(
                    $"{_name}: a segment at {s.PhysicalAddress:X}h of {s.MemorySize:X}h bytes is outside the guest's memory ({memory.Layout.TotalBytes >> 20} MiB)", e);
            }

            _bytes.AsSpan((int)s.Offset, (int)s.FileSize).CopyTo(target);
            target[(int)s.FileSize..].Clear();
        }
    }

    private void ReadHeader()
    {
        ReadOnlySpan<byte> b = _bytes;
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(b[16..]);
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(b[18..]);
        if (machine is not (Machine386 or MachineX8664))
        {
            throw new MachineException($"{_name}: is an ELF file for another processor (machine {machine}), not for x86");
        }

        if (type is not (TypeExecutable or TypeShared))
        {
            throw new MachineException($"{_name}: is not an executable ELF file (type {type}; an object file or a core dump?)");
        }

        if (Is64Bit && b.Length < 64)
        {
            throw new MachineException($"{_name}: truncated: the ELF header is cut off");
        }

        Entry = Is64Bit ? BinaryPrimitives.ReadUInt64LittleEndian(b[24..]) : BinaryPrimitives.ReadUInt32LittleEndian(b[24..]);
        ulong table = Is64Bit ? BinaryPrimitives.ReadUInt64LittleEndian(b[32..]) : BinaryPrimitives.ReadUInt32LittleEndian(b[28..]);
        int entrySize = BinaryPrimitives.ReadUInt16LittleEndian(b[(Is64Bit ? 54 : 42)..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(b[(Is64Bit ? 56 : 44)..]);
        if (count == 0)
        {
            throw new MachineException($"{_name}: has no program headers, so nothing to load");
        }

        if (entrySize < (Is64Bit ? 56 : 32) || table > (ulong)b.Length || (ulong)b.Length - table < (ulong)(entrySize * count))
        {
            throw new MachineException($"{_name}: truncated: the program headers lie outside the file");
        }

        ReadSegments((int)table, entrySize, count);
    }

    private void ReadSegments(int table, int entrySize, int count)
    {
        var segments = new List<ElfSegment>();
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> header = _bytes.AsSpan(table + (i * entrySize), entrySize);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(header);
            HasInterpreter |= type == SegmentInterpreter;
            ElfSegment segment = Is64Bit ? ElfSegment.Read64(header) : ElfSegment.Read32(header);
            if (type == SegmentLoad && segment.MemorySize > 0)
            {
                Check(segment, i);
                segments.Add(segment);
            }
        }

        if (segments.Count == 0)
        {
            throw new MachineException($"{_name}: has no loadable segment");
        }

        CheckOverlaps(segments);
        Segments = segments;
    }

    private void Check(ElfSegment s, int index)
    {
        if (s.Offset > (ulong)_bytes.Length || (ulong)_bytes.Length - s.Offset < s.FileSize)
        {
            throw new MachineException($"{_name}: truncated: segment {index} needs {s.FileSize} bytes at {s.Offset:X}h, the file has {_bytes.Length}");
        }

        if (s.FileSize > s.MemorySize || s.PhysicalAddress + s.MemorySize < s.PhysicalAddress)
        {
            throw new MachineException($"{_name}: damaged program header {index}");
        }
    }

    private void CheckOverlaps(List<ElfSegment> segments)
    {
        ElfSegment[] ordered = [.. segments.OrderBy(s => s.PhysicalAddress)];
        for (int i = 1; i < ordered.Length; i++)
        {
            ElfSegment before = ordered[i - 1], after = ordered[i];
            if (before.PhysicalAddress + before.MemorySize > after.PhysicalAddress)
            {
                throw new MachineException($"{_name}: segments at {before.PhysicalAddress:X}h and {after.PhysicalAddress:X}h overlap");
            }
        }
    }
}
