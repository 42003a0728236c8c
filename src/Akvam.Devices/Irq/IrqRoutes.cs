namespace Akvam.Devices;

/// <summary>Routing tables to start from.</summary>
public static class IrqRoutes
{
    /// <summary>What KVM_CREATE_IRQCHIP installs: GSI 0-15 to the same input of the 8259 pair and the same IOAPIC pin, 16-23 to the IOAPIC.</summary>
    public static IrqRoute[] KvmDefault() => Build(static gsi => gsi, static gsi => gsi < 16);

    /// <summary>A PC's wiring, as QEMU and kvmtool install it: the timer, GSI 0, is on IOAPIC pin 2, and the cascade drives nothing.</summary>
    public static IrqRoute[] Pc() => Build(static gsi => gsi == 0 ? 2 : gsi == 2 ? -1 : gsi, static gsi => gsi < 16 && gsi != 2);

    private static IrqRoute[] Build(Func<int, int> ioapicPin, Func<int, bool> onPic)
    {
        var routes = new List<IrqRoute>(40);
        for (int gsi = 0; gsi < Ioapic.PinCount; gsi++)
        {
            if (onPic(gsi))
            {
                IrqChipId chip = gsi < 8 ? IrqChipId.KVM_IRQCHIP_PIC_MASTER : IrqChipId.KVM_IRQCHIP_PIC_SLAVE;
                routes.Add(IrqRoute.ToPin(gsi, chip, gsi & 7));
            }

            if (ioapicPin(gsi) is >= 0 and int pin)
            {
                routes.Add(IrqRoute.ToPin(gsi, IrqChipId.KVM_IRQCHIP_IOAPIC, pin));
            }
        }

        return [.. routes];
    }
}
