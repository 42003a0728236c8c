namespace Akvam.Machine.Loading;

/// <summary>Loads real-mode code without a header.</summary>
/// <remarks>
/// <para>An image whose bytes 510 and 511 are 55h AAh starts as a boot sector does: the whole of it at 0000:7C00, DL = 80h. So a
/// boot sector runs as it would from a disk, and a longer image finds its further sectors already behind the first.</para>
/// <para>Anything else is loaded at 1000:0000 with every data segment equal to CS, as a loader would do for a flat program with
/// <c>org 0</c>. The stack is at 0000:7C00 downwards in both cases. There is no BIOS: the interrupt vectors point to an IRET.</para>
/// </remarks>
public static class FlatLoader
{
    private const ulong BootSectorAddress = 0x7C00, ProgramAddress = 0x10000;

    /// <summary>The IRET all interrupt vectors point to, F000:FF53 as in the original BIOS.</summary>
    private const ulong DummyHandler = 0xFFF53;

    /// <summary>Loads the image.</summary>
    /// <returns>The state of the first processor.</returns>
    /// <exception cref="MachineException">The image does not fit below 640 KiB.</exception>
    public static StartState Load(GuestImage image, IGuestMemory memory)
    {
        bool bootSector = image.Bytes.Length >= 512 && image.Bytes[510] == 0x55 && image.Bytes[511] == 0xAA;
        ulong address = bootSector ? BootSectorAddress : ProgramAddress;
        ulong room = E820.ConventionalEnd - address;
        if ((ulong)image.Bytes.Length > room)
        {
            throw new MachineException(
                $"{image.Name}: is of no known kind, and with {image.Bytes.Length} bytes too large for a flat real-mode program ({room} bytes)");
        }

        memory.Write(address, image.Bytes);
        memory.Slice(DummyHandler, 1)[0] = 0xCF;
        for (ulong vector = 0; vector < 256; vector++)
        {
            memory.WriteUInt32(vector * 4, 0xF000_FF53);
        }

        ushort segment = bootSector ? (ushort)0 : (ushort)(ProgramAddress >> 4);
        return new StartState(StartMode.Real, bootSector ? BootSectorAddress : 0)
        {
            Cs = segment,
            Ds = segment,
            Ss = 0,
            Rsp = BootSectorAddress,
            Rdx = bootSector ? 0x80u : 0u,
        };
    }
}
