namespace Akvam.Devices;

/// <summary>One entry of the GSI routing table [KVM 4.52]: a controller's pin, or a message.</summary>
public readonly record struct IrqRoute
{
    public required int Gsi { get; init; }

    public bool IsMsi { get; init; }

    public IrqChipId Chip { get; init; }

    /// <summary>0-7 on a PIC, 0-23 on the IOAPIC.</summary>
    public int Pin { get; init; }

    public MsiMessage Msi { get; init; }

    public static IrqRoute ToPin(int gsi, IrqChipId chip, int pin) => new() { Gsi = gsi, Chip = chip, Pin = pin };

    public static IrqRoute ToMsi(int gsi, MsiMessage msi) => new() { Gsi = gsi, IsMsi = true, Msi = msi };
}
