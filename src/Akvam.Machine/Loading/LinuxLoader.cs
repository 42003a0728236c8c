using System.Text;

namespace Akvam.Machine.Loading;

/// <summary>Loads a Linux kernel as the x86 boot protocol says: bzImage and uncompressed ELF, 32- and 64-bit entry.</summary>
public static class LinuxLoader
{
    /// <summary>Where the boot parameters ("zero page") lie.</summary>
    public const ulong BootParameters = 0x10000;

    /// <summary>Where the setup data lies.</summary>
    public const ulong SetupData = 0x11000;

    /// <summary>Where the command line lies.</summary>
    public const ulong CommandLine = 0x20000;

    private const ulong OneMebibyte = 0x100000;
    private const int MaximumE820 = 128;
    private const uint SetupRngSeed = 9;            // setup_data type SETUP_RNG_SEED
    private const ulong InitialStack = 0x8000;

    /// <summary>Loads a bzImage.</summary>
    /// <returns>The state of the first processor.</returns>
    /// <exception cref="MachineException">The image is damaged, or it, the initrd or the command line do not fit.</exception>
    public static StartState LoadBzImage(GuestImage image, IGuestMemory memory, LinuxBoot boot)
    {
        LinuxHeader header = LinuxHeader.Read(image.Name, image.Start, image.Length);
        ulong address = ChooseAddress(image.Name, header, memory.Layout);
        image.CopyTo(header.SetupBytes, memory.Slice(address, (int)header.ProtectedBytes));

        memory.Slice(BootParameters, 4096).Clear();
        header.CopyTo(memory.Slice(BootParameters, 4096));
        memory.WriteUInt32(BootParameters + 0x214, (uint)address);
        FillParameters(image.Name, memory, boot, header.CommandLineMax, header.InitrdMax, address + header.InitBytes);

        bool longMode = header.Has64BitEntry && !boot.Prefer32BitEntry;
        return Start(memory, longMode, longMode ? address + 0x200 : address);
    }

    /// <summary>Loads an uncompressed kernel, which is entered in 64-bit mode at its ELF entry point.</summary>
    /// <returns>The state of the first processor.</returns>
    /// <exception cref="MachineException">The image is damaged, or it, the initrd or the command line do not fit.</exception>
    public static StartState LoadElf(GuestImage image, IGuestMemory memory, LinuxBoot boot)
    {
        ElfImage elf = ElfImage.Parse(image.Name, image.Bytes);
        if (elf.Start < OneMebibyte)
        {
            throw new MachineException($"{image.Name}: a segment at {elf.Start:X}h is outside the memory a kernel may use (from 1 MiB up)");
        }

        elf.Load(memory);
        memory.Slice(BootParameters, 4096).Clear();
        memory.WriteUInt16(BootParameters + 0x1FE, 0xAA55);
        memory.WriteUInt32(BootParameters + 0x202, 0x5372_6448);
        memory.WriteUInt16(BootParameters + 0x206, 0x020C);
        memory.WriteUInt32(BootParameters + 0x230, 0x0100_0000);
        FillParameters(image.Name, memory, boot, 2047, 0x7FFF_FFFF, elf.End);
        return Start(memory, longMode: true, elf.PhysicalEntry);
    }

    private static ulong ChooseAddress(string name, LinuxHeader header, GuestLayout layout)
    {
        ulong preferred = Math.Max(header.PreferredAddress, OneMebibyte);
        if (preferred + header.InitBytes <= layout.LowBytes)
        {
            return preferred;
        }

        ulong lowest = (OneMebibyte + header.Alignment - 1) / header.Alignment * header.Alignment;
        if (header.Relocatable && lowest + header.InitBytes <= layout.LowBytes)
        {
            return lowest;
        }

        ulong start = header.Relocatable ? lowest : preferred;
        ulong need = (start + header.InitBytes + OneMebibyte - 1) / OneMebibyte;
        throw new MachineException($"{name}: the kernel is too big for the memory: it needs at least {need} MiB, the guest has {layout.TotalBytes / OneMebibyte} MiB");
    }

    private static void FillParameters(string name, IGuestMemory memory, LinuxBoot boot, int commandLineMax, uint initrdMax, ulong kernelEnd)
    {
        int length = Encoding.UTF8.GetByteCount(boot.CommandLine);
        if (length > commandLineMax)
        {
            throw new MachineException($"the kernel command line has {length} characters; {name} takes {commandLineMax}");
        }

        memory.WriteString(CommandLine, boot.CommandLine);
        memory.WriteUInt64(BootParameters + 0x70, boot.RsdpAddress);
        memory.Slice(BootParameters + 0x210, 1)[0] = 0xFF;          // type_of_loader: one without an assigned number
        memory.WriteUInt32(BootParameters + 0x228, (uint)CommandLine);
        memory.WriteUInt64(BootParameters + 0x250, WriteSeed(memory, boot.Seed));
        WriteE820(memory);
        if (boot.Initrd is { Length: > 0 } initrd)
        {
            PlaceInitrd(memory, initrd, initrdMax, kernelEnd);
        }
    }

    private static ulong WriteSeed(IGuestMemory memory, byte[]? seed)
    {
        if (seed is not { Length: > 0 and <= 1024 })
        {
            return 0;
        }

        memory.WriteUInt64(SetupData, 0);                           // the last entry of the list
        memory.WriteUInt32(SetupData + 8, SetupRngSeed);
        memory.WriteUInt32(SetupData + 12, (uint)seed.Length);
        memory.Write(SetupData + 16, seed);
        return SetupData;
    }

    private static void WriteE820(IGuestMemory memory)
    {
        IReadOnlyList<E820Range> map = E820.Build(memory.Layout);
        int count = Math.Min(map.Count, MaximumE820);
        memory.Slice(BootParameters + 0x1E8, 1)[0] = (byte)count;
        for (int i = 0; i < count; i++)
        {
            ulong entry = BootParameters + 0x2D0 + (ulong)(20 * i);
            memory.WriteUInt64(entry, map[i].Start);
            memory.WriteUInt64(entry + 8, map[i].Bytes);
            memory.WriteUInt32(entry + 16, map[i].Type);
        }
    }

    private static void PlaceInitrd(IGuestMemory memory, byte[] initrd, uint initrdMax, ulong kernelEnd)
    {
        ulong top = Math.Min(memory.Layout.LowBytes, (ulong)initrdMax + 1);
        ulong size = (ulong)initrd.Length;
        ulong start = top >= size ? (top - size) & ~0xFFFUL : 0;
        if (start < kernelEnd)
        {
            throw new MachineException(
                $"the initrd ({size >> 10} KiB) does not fit between the kernel's end ({kernelEnd >> 20} MiB) and {top >> 20} MiB; give the guest more memory");
        }

        memory.Write(start, initrd);
        memory.WriteUInt32(BootParameters + 0x218, (uint)start);
        memory.WriteUInt32(BootParameters + 0x21C, (uint)size);
    }

    private static StartState Start(IGuestMemory memory, bool longMode, ulong entry)
    {
        FlatSegments.Write(memory, longMode);
        if (longMode)
        {
            IdentityMap.Write(memory);
        }

        return new StartState(longMode ? StartMode.Long64 : StartMode.Protected32, entry)
        {
            Cs = FlatSegments.LinuxCode,
            Ds = FlatSegments.LinuxData,
            Ss = FlatSegments.LinuxData,
            GdtBase = FlatSegments.Address,
            GdtBytes = FlatSegments.Bytes,
            Cr3 = longMode ? IdentityMap.Address : 0,
            Rsi = BootParameters,
            Rsp = InitialStack,
        };
    }
}
