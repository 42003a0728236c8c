namespace Akvam.Machine;

/// <summary>Where the guest's RAM lies: below the PCI hole, and what does not fit there above 4 GiB.</summary>
/// <param name="TotalBytes">All of the RAM, a multiple of 1 MiB.</param>
public readonly record struct GuestLayout(ulong TotalBytes)
{
    /// <summary>The PCI hole opens at 3 GiB, as on i440FX boards, and ends at 4 GiB.</summary>
    public const ulong HoleStart = 0xC000_0000;

    /// <summary>The first address above the PCI hole.</summary>
    public const ulong HighStart = 0x1_0000_0000;

    /// <summary>The compatible SMRAM window, the video memory hole of the PC [440FX datasheet, SMRAM].</summary>
    public const ulong SmramStart = 0xA0000;

    /// <summary>The first address past the SMRAM window.</summary>
    public const ulong SmramEnd = 0xC0000;

    /// <summary>RAM below the hole, from address 0.</summary>
    public ulong LowBytes => Math.Min(TotalBytes, HoleStart);

    /// <summary>RAM from 4 GiB up.</summary>
    public ulong HighBytes => TotalBytes - LowBytes;
}
