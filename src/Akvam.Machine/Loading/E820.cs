namespace Akvam.Machine.Loading;

/// <summary>The memory map firmware would report [ACPI 15.1].</summary>
public static class E820
{
    /// <summary>Usable RAM.</summary>
    public const uint Usable = 1;

    /// <summary>Not to be used.</summary>
    public const uint Reserved = 2;

    /// <summary>The end of the conventional memory: the last kibibyte below 640 KiB is the extended BIOS data area.</summary>
    public const ulong ConventionalEnd = 0x9FC00;

    /// <summary>Where the firmware's tables lie, up to 1 MiB.</summary>
    public const ulong FirmwareStart = 0xE0000;

    /// <summary>The ranges, ascending and without overlaps.</summary>
    public static IReadOnlyList<E820Range> Build(GuestLayout layout)
    {
        var map = new List<E820Range>
        {
            new(0, ConventionalEnd, Usable),
            new(ConventionalEnd, GuestLayout.SmramStart - ConventionalEnd, Reserved),
            new(FirmwareStart, 0x100000 - FirmwareStart, Reserved),
        };
        if (layout.LowBytes > 0x100000)
        {
            map.Add(new(0x100000, layout.LowBytes - 0x100000, Usable));
        }

        if (layout.HighBytes > 0)
        {
            map.Add(new(GuestLayout.HighStart, layout.HighBytes, Usable));
        }

        return map;
    }
}
