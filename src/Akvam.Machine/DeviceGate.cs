using Akvam.Machine.Devices;

namespace Akvam.Machine;

/// <summary>The way from processors to devices: one access at a time.</summary>
internal sealed class DeviceGate
{
    /// <summary>Held while a device works.</summary>
    public Lock Lock { get; } = new();

    /// <summary>All ports.</summary>
    public PortBus Ports { get; } = new();

    /// <summary>The processor whose access is being served; valid under <see cref="Lock"/>.</summary>
    public Vcpu? Serving { get; set; }
}
