namespace Akvam.Devices;

/// <summary>What <see cref="Irqchip"/> is made of.</summary>
public sealed record IrqchipOptions
{
    public static IrqchipOptions Default { get; } = new();

    /// <summary><see cref="Ioapic.Version82093AA"/> as KVM's, or <see cref="Ioapic.VersionWithEoi"/>, which directed EOI needs.</summary>
    public byte IoapicVersion { get; init; } = Ioapic.Version82093AA;
}
