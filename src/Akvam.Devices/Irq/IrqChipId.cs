namespace Akvam.Devices;

/// <summary>Controllers a GSI can be routed to, with KVM's numbers.</summary>
public enum IrqChipId
{
    KVM_IRQCHIP_PIC_MASTER = 0,
    KVM_IRQCHIP_PIC_SLAVE = 1,
    KVM_IRQCHIP_IOAPIC = 2,
}
