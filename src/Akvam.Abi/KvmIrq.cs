namespace Akvam.Abi;

/// <summary>Values and flags of the in-kernel interrupt controllers, the PIT, interrupt routing, irqfd and ioeventfd.</summary>
public static class KvmIrq
{
    // kvm_irqchip.chip_id
    public const uint KVM_IRQCHIP_PIC_MASTER = 0;
    public const uint KVM_IRQCHIP_PIC_SLAVE = 1;
    public const uint KVM_IRQCHIP_IOAPIC = 2;
    public const uint KVM_NR_IRQCHIPS = 3;
    public const uint KVM_IOAPIC_NUM_PINS = 24;

    // kvm_pit_config.flags and kvm_pit_state2.flags
    public const uint KVM_PIT_SPEAKER_DUMMY = 1;
    public const uint KVM_PIT_FLAGS_HPET_LEGACY = 0x1;
    public const uint KVM_PIT_FLAGS_SPEAKER_DATA_ON = 0x2;

    // kvm_irq_routing_entry.type [KVM 4.52]
    public const uint KVM_IRQ_ROUTING_IRQCHIP = 1;
    public const uint KVM_IRQ_ROUTING_MSI = 2;
    public const uint KVM_IRQ_ROUTING_S390_ADAPTER = 3;
    public const uint KVM_IRQ_ROUTING_HV_SINT = 4;
    public const uint KVM_IRQ_ROUTING_XEN_EVTCHN = 5;

    // kvm_msi.flags and kvm_irq_routing_entry.flags
    public const uint KVM_MSI_VALID_DEVID = 1 << 0;

    // kvm_irqfd.flags
    public const uint KVM_IRQFD_FLAG_DEASSIGN = 1 << 0;
    public const uint KVM_IRQFD_FLAG_RESAMPLE = 1 << 1;

    // kvm_ioeventfd.flags [KVM 4.59]
    public const uint KVM_IOEVENTFD_FLAG_DATAMATCH = 1 << 0;
    public const uint KVM_IOEVENTFD_FLAG_PIO = 1 << 1;
    public const uint KVM_IOEVENTFD_FLAG_DEASSIGN = 1 << 2;
    public const uint KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY = 1 << 3;

    // KVM_CAP_X2APIC_API [KVM 7.7]
    public const ulong KVM_X2APIC_API_USE_32BIT_IDS = 1 << 0;
    public const ulong KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK = 1 << 1;
}
