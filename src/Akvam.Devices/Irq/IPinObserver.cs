namespace Akvam.Devices;

/// <summary>Sees what software does to a controller's pins. Called with no lock held.</summary>
public interface IPinObserver
{
    /// <summary>Software finished an interrupt of this pin.</summary>
    void Acknowledged(IrqChipId chip, int pin);

    /// <summary>Software masked or unmasked this pin.</summary>
    void MaskChanged(IrqChipId chip, int pin, bool masked);
}
