namespace Akvam.Machine.Loading;

/// <summary>A descriptor table with the flat segments the boot protocols ask for.</summary>
internal static class FlatSegments
{
    /// <summary>Where loaders put the table.</summary>
    public const ulong Address = 0x800;

    /// <summary>Linux' __BOOT_CS and __BOOT_DS [Linux x86 boot protocol, 32-bit boot protocol].</summary>
    public const ushort LinuxCode = 0x10, LinuxData = 0x18;

    /// <summary>The size of the table in bytes.</summary>
    public const int Bytes = 4 * 8;

    /// <summary>Writes the table: null, null, code, data.</summary>
    public static void Write(IGuestMemory memory, bool longMode)
    {
        memory.WriteUInt64(Address, 0);
        memory.WriteUInt64(Address + 8, 0);
        memory.WriteUInt64(Address + LinuxCode, longMode ? 0x00AF_9B00_0000_FFFFUL : 0x00CF_9B00_0000_FFFFUL);
        memory.WriteUInt64(Address + LinuxData, 0x00CF_9300_0000_FFFF);
    }
}
