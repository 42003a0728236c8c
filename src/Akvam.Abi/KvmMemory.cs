namespace Akvam.Abi;

/// <summary>Flags of memory slots, of the dirty log and of the dirty ring.</summary>
public static class KvmMemory
{
    // kvm_userspace_memory_region.flags [KVM 4.35]
    public const uint KVM_MEM_LOG_DIRTY_PAGES = 1 << 0;
    public const uint KVM_MEM_READONLY = 1 << 1;
    public const uint KVM_MEM_GUEST_MEMFD = 1 << 2;

    // KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 [KVM 7.18]
    public const ulong KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE = 1 << 0;
    public const ulong KVM_DIRTY_LOG_INITIALLY_SET = 1 << 1;

    // kvm_dirty_gfn.flags [KVM 8.29]
    public const uint KVM_DIRTY_GFN_F_DIRTY = 1 << 0;
    public const uint KVM_DIRTY_GFN_F_RESET = 1 << 1;
    public const uint KVM_DIRTY_GFN_F_MASK = 0x3;
}
