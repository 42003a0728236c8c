using Akvam.Machine.Loading;

namespace Akvam.Machine.Firmware;

/// <summary>The few bytes of the BIOS data area that systems read without asking the BIOS.</summary>
public static class BiosData
{
    /// <summary>Writes the area: serial port, extended data area, conventional memory.</summary>
    public static void Write(IGuestMemory memory)
    {
        memory.WriteUInt16(0x400, 0x3F8);
        memory.WriteUInt16(0x40E, (ushort)(E820.ConventionalEnd >> 4));
        memory.WriteUInt16(0x413, (ushort)(E820.ConventionalEnd >> 10));
        memory.Slice(E820.ConventionalEnd, 1)[0] = 1;       // the extended area's size in KiB
    }
}
