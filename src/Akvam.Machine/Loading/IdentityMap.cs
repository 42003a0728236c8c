namespace Akvam.Machine.Loading;

/// <summary>Page tables that map the first 4 GiB onto themselves with 2 MiB pages.</summary>
internal static class IdentityMap
{
    /// <summary>Where the tables lie: a PML4, a PDPT and four directories.</summary>
    public const ulong Address = 0x9000;

    /// <summary>The size of the tables in bytes.</summary>
    public const int Bytes = 6 * 4096;

    private const ulong Present = 1, Writable = 2, Large = 0x80;

    public static void Write(IGuestMemory memory)
    {
        memory.Slice(Address, Bytes).Clear();
        memory.WriteUInt64(Address, (Address + 0x1000) | Present | Writable);
        for (ulong gib = 0; gib < 4; gib++)
        {
            ulong directory = Address + 0x2000 + (gib * 0x1000);
            memory.WriteUInt64(Address + 0x1000 + (gib * 8), directory | Present | Writable);
            for (ulong i = 0; i < 512; i++)
            {
                memory.WriteUInt64(directory + (i * 8), (gib << 30) | (i << 21) | Present | Writable | Large);
            }
        }
    }
}
