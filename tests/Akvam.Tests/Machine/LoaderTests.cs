using System.Buffers.Binary;
using Akvam.Machine;
using Akvam.Machine.Loading;

namespace Akvam.Tests.Machine;

public sealed class LoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void BzImageEntersIn64BitModeAtItsPreferredAddress()
    {
        var memory = new ArrayMemory(64);
        StartState start = LinuxLoader.LoadBzImage(Image(Kernel()), memory, new LinuxBoot("console=ttyS0", new byte[5000], 0xF0000, [1, 2, 3]));
        Assert.Equal((StartMode.Long64, 0x100_0200ul, LinuxLoader.BootParameters), (start.Mode, start.Rip, start.Rsi));
        Assert.Equal(0xC0DEC0DEu, memory.U32(0x100_0000));
        Assert.Equal("console=ttyS0", memory.Text(memory.U32(LinuxLoader.BootParameters + 0x228)));
        Assert.Equal(0xF0000ul, memory.U64(LinuxLoader.BootParameters + 0x70));
        Assert.Equal((64u << 20) - 8192, memory.U32(LinuxLoader.BootParameters + 0x218));
        Assert.Equal(5000u, memory.U32(LinuxLoader.BootParameters + 0x21C));
        ulong seed = memory.U64(LinuxLoader.BootParameters + 0x250);
        Assert.Equal((0ul, 9u, 3u), (memory.U64(seed), memory.U32(seed + 8), memory.U32(seed + 12)));
        Assert.Equal(0xFF, memory.Slice(LinuxLoader.BootParameters + 0x210, 1)[0]);
    }

    [Fact]
    public void IdentityMapCoversTheEntryPoint()
    {
        var memory = new ArrayMemory(64);
        StartState start = LinuxLoader.LoadBzImage(Image(Kernel()), memory, new LinuxBoot(""));
        ulong pdpt = memory.U64(start.Cr3) & ~0xFFFul, directory = memory.U64(pdpt) & ~0xFFFul;
        Assert.Equal((start.Rip & ~0x1FFFFFul) | 0x83, memory.U64(directory + (start.Rip >> 21 << 3)));
        Assert.Equal(0x00AF_9B00_0000_FFFFul, memory.U64(start.GdtBase + start.Cs));
    }

    [Fact]
    public void BzImageWithoutA64BitEntryEntersIn32BitMode()
    {
        StartState start = LinuxLoader.LoadBzImage(Image(Kernel(xload: 0)), new ArrayMemory(64), new LinuxBoot(""));
        Assert.Equal((StartMode.Protected32, 0x100_0000ul), (start.Mode, start.Rip));
        StartState asked = LinuxLoader.LoadBzImage(Image(Kernel()), new ArrayMemory(64), new LinuxBoot("", Prefer32BitEntry: true));
        Assert.Equal(start, asked);
    }

    [Fact]
    public void ARelocatableKernelMovesDownInSmallMemory()
    {
        StartState start = LinuxLoader.LoadBzImage(Image(Kernel()), new ArrayMemory(16), new LinuxBoot(""));
        Assert.Equal(0x20_0200ul, start.Rip);
    }

    [Fact]
    public void E820CoversTheMemoryWithoutOverlap()
    {
        foreach (ulong mebibytes in new ulong[] { 16, 3072, 8192 })
        {
            IReadOnlyList<E820Range> map = E820.Build(new GuestLayout(mebibytes << 20));
            for (int i = 1; i < map.Count; i++)
            {
                Assert.True(map[i - 1].Start + map[i - 1].Bytes <= map[i].Start);
            }

            ulong usable = map.Where(r => r.Type == E820.Usable).Aggregate(0ul, (sum, r) => sum + r.Bytes);
            Assert.Equal((mebibytes << 20) - 0x100000 + E820.ConventionalEnd, usable);
        }
    }

    [Theory]
    [InlineData(4, 10, "too big for the memory")]
    [InlineData(24, 20 << 20, "initrd")]
    public void WhatDoesNotFitIsSaidSo(int mebibytes, int initrd, string message)
    {
        var e = Assert.Throws<MachineException>(
            () => LinuxLoader.LoadBzImage(Image(Kernel()), new ArrayMemory(mebibytes), new LinuxBoot("", new byte[initrd])));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheCommandLineHasALimit()
    {
        var e = Assert.Throws<MachineException>(
            () => LinuxLoader.LoadBzImage(Image(Kernel()), new ArrayMemory(64), new LinuxBoot(new string('x', 2048))));
        Assert.Contains("2048 characters", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(3000)]
    public void ATruncatedKernelIsSaidSo(int length)
    {
        GuestImage image = Image(Kernel()[..length]);
        var e = Assert.Throws<MachineException>(() => LinuxLoader.LoadBzImage(image, new ArrayMemory(64), new LinuxBoot("")));
        Assert.Contains("truncated", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MultibootElfIsLoadedWithCommandLineAndMap(bool is64)
    {
        var memory = new ArrayMemory(16);
        byte[] elf = Elf(is64, multiboot: true);
        GuestImage image = Image(elf);
        Assert.Equal(ImageKind.Multiboot, image.Kind);
        StartState start = MultibootLoader.Load(image, memory, "x scale=5");
        Assert.Equal((StartMode.Protected32, 0x20_0010ul, 0x2BADB002ul), (start.Mode, start.Rip, start.Rax));
        Assert.Equal(MultibootHeader.Magic, memory.U32(0x20_0000));
        Assert.Equal(0u, memory.U32(0x20_1FFC));
        ulong info = start.Rbx;
        Assert.Equal(0x24Du, memory.U32(info));
        Assert.Equal(0u, memory.U32(info + 20));
        Assert.Equal("image x scale=5", memory.Text(memory.U32(info + 16)));
        Assert.Equal("Akvam", memory.Text(memory.U32(info + 64)));
        ulong map = memory.U32(info + 48), end = map + memory.U32(info + 44);
        int ranges = 0;
        while (map < end)
        {
            map += memory.U32(map) + 4;
            ranges++;
        }

        Assert.Equal((end, 4), (map, ranges));
    }

    [Fact]
    public void MultibootAddressFieldsLoadAnImageThatIsNotElf()
    {
        byte[] image = new byte[256];
        U32s(image, 0, MultibootHeader.Magic, 0x10003, unchecked(0u - MultibootHeader.Magic - 0x10003u), 0x30_0000, 0x30_0000, 0, 0x30_0200, 0x30_0020);
        image[0x20] = 0x90;
        var memory = new ArrayMemory(16);
        memory.Slice(0x30_0180, 1)[0] = 0xFF;
        StartState start = MultibootLoader.Load(Image(image), memory, "");
        Assert.Equal(0x30_0020ul, start.Rip);
        Assert.Equal(0x90, memory.Slice(start.Rip, 1)[0]);
        Assert.Equal(0, memory.Slice(0x30_0180, 1)[0]);
    }

    [Fact]
    public void AnImageInLowMemoryKeepsTheInformationOutOfItsWay()
    {
        var memory = new ArrayMemory(16);
        byte[] elf = Elf(is64: false, multiboot: true, physical: 0x8000, memorySize: 0x10000);
        StartState start = MultibootLoader.Load(Image(elf), memory, "");
        Assert.True(start.Rbx >= 0x18000);
    }

    [Theory]
    [InlineData(0x7FFF_0000u, 0x2000u, "outside the guest's memory")]
    [InlineData(0xFFFF_F000u, 0x2000u, "damaged")]
    [InlineData(0x0020_0000u, 0x4000_0000u, "outside the guest's memory")]
    public void ElfSegmentsOutsideMemoryAreSaidSo(uint physical, uint memorySize, string message)
    {
        var e = Assert.Throws<MachineException>(
            () => MultibootLoader.Load(Image(Elf(is64: false, multiboot: true, physical, memorySize)), new ArrayMemory(16), ""));
        Assert.True(e.Message.Contains(message, StringComparison.Ordinal) || e.Message.Contains("outside", StringComparison.Ordinal), e.Message);
    }

    [Fact]
    public void OverlappingSegmentsAreSaidSo()
    {
        byte[] elf = Elf(is64: true, multiboot: true);
        elf[0x38] = 2;
        elf.AsSpan(64, 56).CopyTo(elf.AsSpan(64 + 56));
        var e = Assert.Throws<MachineException>(() => MultibootLoader.Load(Image(elf), new ArrayMemory(16), ""));
        Assert.Contains("overlap", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void VmlinuxEntersAtItsEntryPoint()
    {
        GuestImage image = Image(Elf(is64: true, multiboot: false));
        Assert.Equal(ImageKind.LinuxElf, image.Kind);
        StartState start = LinuxLoader.LoadElf(image, new ArrayMemory(16), new LinuxBoot("quiet"));
        Assert.Equal((StartMode.Long64, 0x20_0010ul), (start.Mode, start.Rip));
    }

    [Fact]
    public void ABootSectorGoesTo7C00AndAProgramTo10000()
    {
        byte[] sector = new byte[512];
        (sector[0], sector[510], sector[511]) = (0xF4, 0x55, 0xAA);
        var memory = new ArrayMemory(16);
        StartState start = FlatLoader.Load(Image(sector), memory);
        Assert.Equal((StartMode.Real, 0x7C00ul, (ushort)0, 0x80ul), (start.Mode, start.Rip, start.Cs, start.Rdx));
        Assert.Equal(0xF4, memory.Slice(0x7C00, 1)[0]);

        start = FlatLoader.Load(Image([0xF4, 0xEB, 0xFD]), memory);
        Assert.Equal((0ul, (ushort)0x1000), (start.Rip, start.Cs));
        Assert.Equal(0xF4, memory.Slice(0x10000, 1)[0]);
        Assert.Equal(0xCF, memory.Slice(0xFFF53, 1)[0]);
    }

    [Fact]
    public void FirmwareIsKnownByItsResetVectorAndAliasedBelow1MiB()
    {
        byte[] rom = new byte[256 << 10];
        rom[^16] = 0xEA;
        rom[128 << 10] = 0x77;
        GuestImage image = Image(rom);
        Assert.Equal(ImageKind.Firmware, image.Kind);
        var memory = new ArrayMemory(16);
        Assert.Equal(StartMode.Reset, FirmwareLoader.Load(image, memory).Mode);
        Assert.Equal((0x77, 0xEA), (memory.Slice(0xE0000, 1)[0], memory.Slice(0xFFFF0, 1)[0]));
    }

    [Theory]
    [InlineData(new byte[] { 0x1F, 0x8B, 8 }, "gzip")]
    [InlineData(new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1 }, "truncated")]
    [InlineData(new byte[0], "empty")]
    [InlineData(new byte[] { (byte)'#', (byte)'!', (byte)'/' }, "script")]
    public void KnownStrangersAreNamed(byte[] bytes, string message)
    {
        var e = Assert.Throws<MachineException>(() => Image(bytes));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFileIsReadToItsEndWhateverItsLengthSays()
    {
        string path = Path.Combine(_folder, "three");
        File.WriteAllBytes(path, [1, 2, 3]);
        Assert.Equal([1, 2, 3], GuestImage.ReadFile(path));

        // Of length 0, as all files there.
        Assert.Equal(File.ReadAllBytes("/proc/version"), GuestImage.ReadFile("/proc/version"));
    }

    /// <summary>A kernel's start is read when it is opened, the rest when it is loaded.</summary>
    [Fact]
    public void AKernelIsLoadedFromItsFile()
    {
        byte[] kernel = Kernel();
        Array.Resize(ref kernel, 200 << 10);
        new Random(1).NextBytes(kernel.AsSpan(0x8000));
        int setup = (kernel[0x1F1] + 1) * 512;
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x1F4), (uint)(kernel.Length - setup) / 16);
        string path = Path.Combine(_folder, "vmlinuz");
        File.WriteAllBytes(path, kernel);
        ArrayMemory expected = new(64), memory = new(64);
        LinuxLoader.LoadBzImage(Image(kernel), expected, new LinuxBoot("quiet"));
        GuestImage image = GuestImage.Open(path);
        Assert.Equal((ImageKind.LinuxBzImage, kernel.Length), (image.Kind, image.Length));
        LinuxLoader.LoadBzImage(image, memory, new LinuxBoot("quiet"));
        const ulong Address = 0x100_0000;
        Assert.Equal(kernel.AsSpan(setup, (kernel.Length - setup) & ~15), memory.Slice(Address, (kernel.Length - setup) & ~15));
        Assert.Equal(kernel, image.Bytes);

        File.WriteAllBytes(path, kernel[..^1000]);
        var e = Assert.Throws<MachineException>(() => LinuxLoader.LoadBzImage(image, memory, new LinuxBoot("quiet")));
        Assert.EndsWith("has become shorter while it was read", e.Message, StringComparison.Ordinal);
        File.Delete(path);
        Directory.CreateDirectory(path);
        e = Assert.Throws<MachineException>(() => LinuxLoader.LoadBzImage(image, memory, new LinuxBoot("quiet")));
        Assert.EndsWith("is a directory", e.Message, StringComparison.Ordinal);
        Directory.Delete(path);
        e = Assert.Throws<MachineException>(() => LinuxLoader.LoadBzImage(image, memory, new LinuxBoot("quiet")));
        Assert.EndsWith("no such file", e.Message, StringComparison.Ordinal);
    }

    /// <summary>What a kernel in ELF has lies anywhere in its file.</summary>
    [Fact]
    public void AnElfFileIsReadAsAWhole()
    {
        const int Offset = 100 << 10;
        byte[] elf = Elf(is64: true, multiboot: false);
        int header = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(0x20));
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(header + 8), Offset);
        Array.Resize(ref elf, Offset + (64 << 10));
        string path = Path.Combine(_folder, "vmlinux");
        File.WriteAllBytes(path, elf);
        GuestImage image = GuestImage.Open(path);
        Assert.Equal((ImageKind.LinuxElf, elf.Length), (image.Kind, image.Length));
    }

    /// <summary>A pipe can be opened and read once.</summary>
    [Fact]
    public async Task AnImageComesThroughAPipe()
    {
        byte[] kernel = Kernel();
        string path = Path.Combine(_folder, "pipe");
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", path))
        {
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Task write = Task.Run(() => File.WriteAllBytes(path, kernel), TestContext.Current.CancellationToken);
        Assert.Equal(kernel, GuestImage.Open(path).Bytes);
        await write;
    }

    [Fact]
    public void UnreadableFilesAreNamed()
    {
        string empty = Path.Combine(_folder, "empty");
        File.WriteAllBytes(empty, []);
        Assert.EndsWith("is a directory", Assert.Throws<MachineException>(() => GuestImage.Open(_folder)).Message, StringComparison.Ordinal);
        Assert.EndsWith("no such file", Assert.Throws<MachineException>(() => GuestImage.Open(empty + "x")).Message, StringComparison.Ordinal);
        Assert.EndsWith("is empty", Assert.Throws<MachineException>(() => GuestImage.Open(empty)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void DamagedImagesNeverFailInAnotherWay(int seed)
    {
        var random = new Random(seed);
        byte[][] models = [Kernel(), Elf(false, true), Elf(true, true), Elf(true, false)];
        var memory = new ArrayMemory(16);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = [.. models[i % models.Length]];
            for (int k = random.Next(1, 6); k > 0; k--)
            {
                bytes[random.Next(Math.Min(bytes.Length, 0x270))] = (byte)random.Next(256);
            }

            Array.Resize(ref bytes, random.Next(4) == 0 ? random.Next(1, bytes.Length) : bytes.Length);
            try
            {
                GuestImage image = Image(bytes);
                _ = image.Kind switch
                {
                    ImageKind.LinuxBzImage => LinuxLoader.LoadBzImage(image, memory, new LinuxBoot("quiet")),
                    ImageKind.LinuxElf => LinuxLoader.LoadElf(image, memory, new LinuxBoot("quiet")),
                    ImageKind.Multiboot => MultibootLoader.Load(image, memory, ""),
                    ImageKind.Flat => FlatLoader.Load(image, memory),
                    _ => FirmwareLoader.Load(image, memory),
                };
            }
            catch (MachineException)
            {
            }
        }
    }

    private static GuestImage Image(byte[] bytes) => GuestImage.FromBytes("image", bytes);

    /// <summary>A bzImage of protocol 2.15 with two setup sectors and 4 KiB of code.</summary>
    private static byte[] Kernel(ushort xload = 1)
    {
        byte[] kernel = new byte[(3 * 512) + 4096];
        kernel[0x1F1] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x1F4), 4096 / 16);
        (kernel[0x1FE], kernel[0x1FF], kernel[0x201]) = (0x55, 0xAA, 0x6A);
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(kernel.AsSpan(0x206), 0x20F);
        kernel[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x22C), 0x7FFF_FFFF);
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x230), 0x20_0000);
        kernel[0x234] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(kernel.AsSpan(0x236), xload);
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x238), 2047);
        BinaryPrimitives.WriteUInt64LittleEndian(kernel.AsSpan(0x258), 0x100_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(0x260), 8 << 20);
        BinaryPrimitives.WriteUInt32LittleEndian(kernel.AsSpan(3 * 512), 0xC0DE_C0DE);
        return kernel;
    }

    /// <summary>An executable with one segment: file offset 100h, 100h bytes, virtual address 10000h above the physical one.</summary>
    private static byte[] Elf(bool is64, bool multiboot, uint physical = 0x20_0000, uint memorySize = 0x2000)
    {
        byte[] elf = new byte[0x200];
        uint virtualAddress = unchecked(physical + 0x10000);
        (elf[0], elf[4], elf[5], elf[6]) = (0x7F, (byte)(is64 ? 2 : 1), 1, 1);
        "ELF"u8.CopyTo(elf.AsSpan(1));
        (elf[16], elf[18]) = (2, (byte)(is64 ? 62 : 3));
        if (is64)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(24), virtualAddress + 0x10ul);
            (elf[32], elf[54], elf[56]) = (64, 56, 1);
            U32s(elf, 64, 1, 7, 0x100, 0, virtualAddress, 0, physical, 0, 0x100, 0, memorySize, 0);
        }
        else
        {
            U32s(elf, 24, unchecked(virtualAddress + 0x10), 52);
            (elf[42], elf[44]) = (32, 1);
            U32s(elf, 52, 1, 0x100, virtualAddress, physical, 0x100, memorySize, 7);
        }

        if (multiboot)
        {
            U32s(elf, 0x100, MultibootHeader.Magic, 3, unchecked(0u - MultibootHeader.Magic - 3u));
        }

        return elf;
    }

    private static void U32s(byte[] bytes, int offset, params ReadOnlySpan<uint> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(offset + (4 * i)), values[i]);
        }
    }
}
