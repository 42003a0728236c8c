namespace Akvam.Tests.Abi;

/// <summary>What the oldest supported kernel headers (Debian 12, Linux 6.1) do not have, each with its reason. Everything else must be there.</summary>
internal static class AbiExceptions
{
    /// <summary>Structures and fields that came later: compared where the header defines the macro, left out where it does not.</summary>
    public static IReadOnlyDictionary<string, string> LaterLayouts { get; } = new Dictionary<string, string>
    {
        ["kvm_userspace_memory_region2"] = "KVM_SET_USER_MEMORY_REGION2", // Linux 6.8
        ["kvm_run.memory_fault"] = "KVM_EXIT_MEMORY_FAULT", // Linux 6.8
    };

    /// <summary>Constants that came later, with the version: compared where the header defines them.</summary>
    public static IReadOnlyDictionary<string, string> LaterConstants { get; } = new Dictionary<string, string>
    {
        ["KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP"] = "Linux 6.2",
        ["KVM_CAP_PMU_EVENT_MASKED_EVENTS"] = "Linux 6.3",
        ["KVM_CAP_USER_MEMORY2"] = "Linux 6.8",
        ["KVM_CAP_MEMORY_FAULT_INFO"] = "Linux 6.8",
        ["KVM_CAP_MEMORY_ATTRIBUTES"] = "Linux 6.8",
        ["KVM_CAP_GUEST_MEMFD"] = "Linux 6.8",
        ["KVM_CAP_VM_TYPES"] = "Linux 6.8",
        ["KVM_CAP_PRE_FAULT_MEMORY"] = "Linux 6.11",
        ["KVM_CAP_X86_APIC_BUS_CYCLES_NS"] = "Linux 6.11",
        ["KVM_CAP_X86_GUEST_MODE"] = "Linux 6.11",
        ["KVM_EXIT_MEMORY_FAULT"] = "Linux 6.8",
        ["KVM_MEM_GUEST_MEMFD"] = "Linux 6.8",
        ["KVM_RUN_X86_GUEST_MODE"] = "Linux 6.11",
        ["KVM_SET_USER_MEMORY_REGION2"] = "Linux 6.8",
        ["KVM_X86_QUIRK_SLOT_ZAP_ALL"] = "Linux 6.12",
        ["KVM_X86_QUIRK_STUFF_FEATURE_MSRS"] = "Linux 6.13",
    };

    /// <summary>
    /// In no exported header: kvmclock is a contract with the guest and documented in the kernel's msr.rst only. <see cref="ParavirtLayoutTests"/>
    /// has its numbers.
    /// </summary>
    public static IReadOnlySet<string> NotExported { get; } = new HashSet<string>
    {
        "pvclock_vcpu_time_info",
        "pvclock_wall_clock",
        "PVCLOCK_TSC_STABLE_BIT",
        "PVCLOCK_GUEST_STOPPED",
    };
}
