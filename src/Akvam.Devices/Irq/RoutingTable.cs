namespace Akvam.Devices;

/// <summary>An immutable routing table: routes by GSI, and the GSI of every controller pin.</summary>
internal sealed class RoutingTable
{
    private readonly IrqRoute[]?[] _byGsi;
    private readonly int[] _gsiOfPin = new int[3 * Ioapic.PinCount];

    private RoutingTable(IrqRoute[]?[] byGsi)
    {
        _byGsi = byGsi;
        Array.Fill(_gsiOfPin, -1);
        foreach (IrqRoute[]? routes in byGsi)
        {
            foreach (IrqRoute route in routes ?? [])
            {
                if (!route.IsMsi)
                {
                    _gsiOfPin[((int)route.Chip * Ioapic.PinCount) + route.Pin] = route.Gsi;
                }
            }
        }
    }

    public static RoutingTable Empty { get; } = new([]);

    public ReadOnlySpan<IrqRoute> RoutesOf(int gsi) => (uint)gsi < (uint)_byGsi.Length ? _byGsi[gsi] : default;

    /// <summary>The GSI a pin belongs to, or -1.</summary>
    public int GsiOf(IrqChipId chip, int pin) => _gsiOfPin[((int)chip * Ioapic.PinCount) + pin];

    /// <summary>Checks and sorts a table; null if KVM refuses it with EINVAL.</summary>
    public static RoutingTable? TryBuild(ReadOnlySpan<IrqRoute> routes)
    {
        int count = 0;
        foreach (IrqRoute route in routes)
        {
            if (!IsValid(route))
            {
                return null;
            }

            count = Math.Max(count, route.Gsi + 1);
        }

        var byGsi = new IrqRoute[]?[count];
        foreach (IrqRoute route in routes)
        {
            IrqRoute[] others = byGsi[route.Gsi] ?? [];
            foreach (IrqRoute other in others)
            {
                // A GSI reaches a controller once, and a message stands alone [KVM 4.52].
                if (other.IsMsi || route.IsMsi || other.Chip == route.Chip)
                {
                    return null;
                }
            }

            byGsi[route.Gsi] = [.. others, route];
        }

        return new RoutingTable(byGsi);
    }

    private static bool IsValid(in IrqRoute route)
    {
        if ((uint)route.Gsi >= IrqRouter.MaxGsis)
        {
            return false;
        }

        int pins = route.Chip switch
        {
            IrqChipId.KVM_IRQCHIP_PIC_MASTER or IrqChipId.KVM_IRQCHIP_PIC_SLAVE => 8,
            IrqChipId.KVM_IRQCHIP_IOAPIC => Ioapic.PinCount,
            _ => 0,
        };
        return route.IsMsi || (uint)route.Pin < (uint)pins;
    }
}
