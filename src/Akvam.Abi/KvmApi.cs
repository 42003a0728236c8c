namespace Akvam.Abi;

/// <summary>Numbers that hold for the whole interface: its version, the vCPU mapping, and the limits that structures have built in.</summary>
public static class KvmApi
{
    /// <summary>What KVM_GET_API_VERSION returns; it has never changed and never will. [KVM 4.1]</summary>
    public const uint KVM_API_VERSION = 12;

    /// <summary>The ioctl type byte of every KVM request.</summary>
    public const uint KVMIO = 0xAE;

    /// <summary>Page of the vCPU mapping that holds the data of KVM_EXIT_IO.</summary>
    public const uint KVM_PIO_PAGE_OFFSET = 1;

    /// <summary>Page of the vCPU mapping that holds <see cref="kvm_coalesced_mmio_ring"/>.</summary>
    public const uint KVM_COALESCED_MMIO_PAGE_OFFSET = 2;

    /// <summary>Page of the vCPU mapping at which the ring of <see cref="kvm_dirty_gfn"/> starts.</summary>
    public const uint KVM_DIRTY_LOG_PAGE_OFFSET = 64;

    /// <summary>Interrupt vectors of a processor: bits of <see cref="kvm_sregs.interrupt_bitmap"/>.</summary>
    public const uint KVM_NR_INTERRUPTS = 256;

    /// <summary>Bytes of <see cref="kvm_lapic_state"/>.</summary>
    public const uint KVM_APIC_REG_SIZE = 0x400;

    /// <summary>Extended control registers that <see cref="kvm_xcrs"/> has room for.</summary>
    public const uint KVM_MAX_XCRS = 16;

    /// <summary>Bytes reserved for <see cref="kvm_sync_regs"/> in <see cref="kvm_run"/>.</summary>
    public const uint SYNC_REGS_SIZE_BYTES = 2048;
}
