using System.Text;

namespace Akvam.Machine.Loading;

/// <summary>Loads multiboot 1 images: ELF32, ELF64 (entered in 32-bit mode all the same), and images with address fields.</summary>
public static class MultibootLoader
{
    /// <summary>What EAX holds at the entry.</summary>
    public const uint BootMagic = 0x2BAD_B002;

    /// <summary>Where the information goes unless the image lies there.</summary>
    private const ulong PreferredInfo = 0x10000;

    private const ulong StackTop = 0x8000;
    private const int InfoBytes = 120;
    private const uint InfoMemory = 0x001, InfoCommandLine = 0x004, InfoModules = 0x008, InfoMap = 0x040, InfoLoader = 0x200;

    /// <summary>Loads the image with <c>IMAGE ARGUMENTS</c> as its command line.</summary>
    /// <returns>The state of the first processor.</returns>
    /// <exception cref="MachineException">The image is damaged, asks for something unknown, or does not fit.</exception>
    public static StartState Load(GuestImage image, IGuestMemory memory, string arguments)
    {
        MultibootHeader header = MultibootHeader.Find(image.Bytes) ?? throw new MachineException($"{image.Name}: has no multiboot header");
        if (header.Unsupported != 0)
        {
            throw new MachineException($"{image.Name}: asks for multiboot features {header.Unsupported:X}h, which are not known");
        }

        (ulong start, ulong end, ulong entry) = header.Address is { } address
            ? LoadByAddress(image, header.Offset, address, memory)
            : LoadElf(image, memory);
        if (entry > uint.MaxValue)
        {
            throw new MachineException($"{image.Name}: its entry point {entry:X}h is above 4 GiB");
        }

        string commandLine = arguments.Length == 0 ? image.Name : $"{image.Name} {arguments}";
        ulong info = PlaceInfo(image.Name, memory, commandLine, start, end);
        FlatSegments.Write(memory, longMode: false);
        return new StartState(StartMode.Protected32, entry)
        {
            Cs = FlatSegments.LinuxCode,
            Ds = FlatSegments.LinuxData,
            Ss = FlatSegments.LinuxData,
            GdtBase = FlatSegments.Address,
            GdtBytes = FlatSegments.Bytes,
            Rax = BootMagic,
            Rbx = info,
            Rsp = StackTop,
        };
    }

    private static (ulong Start, ulong End, ulong Entry) LoadElf(GuestImage image, IGuestMemory memory)
    {
        ElfImage elf = ElfImage.Parse(image.Name, image.Bytes);
        elf.Load(memory);
        return (elf.Start, elf.End, elf.PhysicalEntry);
    }

    private static (ulong Start, ulong End, ulong Entry) LoadByAddress(GuestImage image, int headerOffset, MultibootAddress a, IGuestMemory memory)
    {
        long offset = headerOffset - ((long)a.Header - a.Load);
        long length = a.LoadEnd != 0 ? (long)a.LoadEnd - a.Load : image.Bytes.Length - offset;
        if (offset < 0 || a.Load > a.Header || length <= 0)
        {
            throw new MachineException($"{image.Name}: damaged multiboot header: its addresses do not fit together");
        }

        if (offset + length > image.Bytes.Length)
        {
            throw new MachineException($"{image.Name}: truncated: the image needs {offset + length} bytes, the file has {image.Bytes.Length}");
        }

        ulong end = Math.Max(a.Load + (ulong)length, a.BssEnd);
        try
        {
            Span<byte> target = memory.Slice(a.Load, checked((int)(end - a.Load)));
            image.Bytes.AsSpan((int)offset, (int)length).CopyTo(target);
            target[(int)length..].Clear();
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new MachineException($"{image.Name}: its load address {a.Load:X}h to {end:X}h is outside the guest's memory", e);
        }

        return (a.Load, end, a.Entry);
    }

    private static ulong PlaceInfo(string name, IGuestMemory memory, string commandLine, ulong imageStart, ulong imageEnd)
    {
        IReadOnlyList<E820Range> map = E820.Build(memory.Layout);
        int textBytes = Encoding.UTF8.GetByteCount(commandLine) + 1;
        ulong need = (ulong)(InfoBytes + (24 * map.Count) + textBytes + 16);

        // Below the image if it is high, as usual; otherwise right behind it.
        bool lowIsFree = imageStart >= PreferredInfo + need || imageEnd <= PreferredInfo;
        ulong info = lowIsFree ? PreferredInfo : (imageEnd + 0xFFF) & ~0xFFFUL;
        try
        {
            memory.Slice(info, (int)need).Clear();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new MachineException($"{name}: no room for the command line and the memory map behind the image", e);
        }

        ulong mapAt = info + InfoBytes, textAt = mapAt + (ulong)(24 * map.Count), nameAt = textAt + (ulong)textBytes;
        memory.WriteUInt32(info, InfoMemory | InfoCommandLine | InfoModules | InfoMap | InfoLoader);
        memory.WriteUInt32(info + 4, (uint)(E820.ConventionalEnd >> 10));
        memory.WriteUInt32(info + 8, (uint)((memory.Layout.LowBytes - 0x100000) >> 10));
        memory.WriteUInt32(info + 16, (uint)textAt);
        memory.WriteUInt32(info + 44, (uint)(24 * map.Count));
        memory.WriteUInt32(info + 48, (uint)mapAt);
        memory.WriteUInt32(info + 64, (uint)nameAt);
        for (int i = 0; i < map.Count; i++)
        {
            ulong entry = mapAt + (ulong)(24 * i);
            memory.WriteUInt32(entry, 20);          // the size does not count itself
            memory.WriteUInt64(entry + 4, map[i].Start);
            memory.WriteUInt64(entry + 12, map[i].Bytes);
            memory.WriteUInt32(entry + 20, map[i].Type);
        }

        memory.WriteString(textAt, commandLine);
        memory.WriteString(nameAt, "Akvam");
        return info;
    }
}
