namespace Akvam.Abi;

/// <summary>
/// What a guest sees of KVM: the CPUID leaves at 0x40000000, the MSRs at 0x4b564d00 and the hypercalls. [KVM cpuid.rst], [KVM msr.rst],
/// [KVM hypercalls.rst]
/// </summary>
public static class KvmPara
{
    /// <summary>Leaf whose EBX, ECX and EDX spell <see cref="KVM_SIGNATURE"/>; EAX is the highest KVM leaf.</summary>
    public const uint KVM_CPUID_SIGNATURE = 0x40000000;

    /// <summary>Leaf whose EAX holds the KVM_FEATURE bits and EDX the KVM_HINTS bits.</summary>
    public const uint KVM_CPUID_FEATURES = 0x40000001;

    /// <summary>The twelve bytes of the signature leaf.</summary>
    public const string KVM_SIGNATURE = "KVMKVMKVM\0\0\0";

    // Bit numbers in EAX of KVM_CPUID_FEATURES
    public const int KVM_FEATURE_CLOCKSOURCE = 0;
    public const int KVM_FEATURE_NOP_IO_DELAY = 1;
    public const int KVM_FEATURE_MMU_OP = 2;
    public const int KVM_FEATURE_CLOCKSOURCE2 = 3;
    public const int KVM_FEATURE_ASYNC_PF = 4;
    public const int KVM_FEATURE_STEAL_TIME = 5;
    public const int KVM_FEATURE_PV_EOI = 6;
    public const int KVM_FEATURE_PV_UNHALT = 7;
    public const int KVM_FEATURE_PV_TLB_FLUSH = 9;
    public const int KVM_FEATURE_ASYNC_PF_VMEXIT = 10;
    public const int KVM_FEATURE_PV_SEND_IPI = 11;
    public const int KVM_FEATURE_POLL_CONTROL = 12;
    public const int KVM_FEATURE_PV_SCHED_YIELD = 13;
    public const int KVM_FEATURE_ASYNC_PF_INT = 14;
    public const int KVM_FEATURE_MSI_EXT_DEST_ID = 15;
    public const int KVM_FEATURE_HC_MAP_GPA_RANGE = 16;
    public const int KVM_FEATURE_MIGRATION_CONTROL = 17;
    public const int KVM_FEATURE_CLOCKSOURCE_STABLE_BIT = 24;

    // Bit numbers in EDX of KVM_CPUID_FEATURES
    public const int KVM_HINTS_REALTIME = 0;

    public const uint MSR_KVM_WALL_CLOCK = 0x11;
    public const uint MSR_KVM_SYSTEM_TIME = 0x12;
    public const uint MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00;
    public const uint MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01;
    public const uint MSR_KVM_ASYNC_PF_EN = 0x4b564d02;
    public const uint MSR_KVM_STEAL_TIME = 0x4b564d03;
    public const uint MSR_KVM_PV_EOI_EN = 0x4b564d04;
    public const uint MSR_KVM_POLL_CONTROL = 0x4b564d05;
    public const uint MSR_KVM_ASYNC_PF_INT = 0x4b564d06;
    public const uint MSR_KVM_ASYNC_PF_ACK = 0x4b564d07;
    public const uint MSR_KVM_MIGRATION_CONTROL = 0x4b564d08;

    /// <summary>Bit 0 of the MSRs that hold an address: the guest has switched the service on.</summary>
    public const ulong KVM_MSR_ENABLED = 1;

    // Hypercall numbers (in RAX), and the errors that only hypercalls have (in RAX, negated)
    public const ulong KVM_HC_VAPIC_POLL_IRQ = 1;
    public const ulong KVM_HC_KICK_CPU = 5;
    public const ulong KVM_HC_CLOCK_PAIRING = 9;
    public const ulong KVM_HC_SEND_IPI = 10;
    public const ulong KVM_HC_SCHED_YIELD = 11;
    public const ulong KVM_HC_MAP_GPA_RANGE = 12;
    public const int KVM_ENOSYS = 1000;
    public const int KVM_EOPNOTSUPP = 95;

    // kvm_steal_time.preempted
    public const byte KVM_VCPU_PREEMPTED = 1 << 0;
    public const byte KVM_VCPU_FLUSH_TLB = 1 << 1;

    // MSR_KVM_STEAL_TIME: the address is 64-byte aligned; bits 1 to 5 are reserved
    public const int KVM_STEAL_ALIGNMENT_BITS = 5;
    public const ulong KVM_STEAL_VALID_BITS = ~0UL << (KVM_STEAL_ALIGNMENT_BITS + 1);
    public const ulong KVM_STEAL_RESERVED_MASK = ((1UL << KVM_STEAL_ALIGNMENT_BITS) - 1) << 1;

    // MSR_KVM_ASYNC_PF_EN
    public const ulong KVM_ASYNC_PF_ENABLED = 1 << 0;
    public const ulong KVM_ASYNC_PF_SEND_ALWAYS = 1 << 1;
    public const ulong KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT = 1 << 2;
    public const ulong KVM_ASYNC_PF_DELIVERY_AS_INT = 1 << 3;
    public const uint KVM_PV_REASON_PAGE_NOT_PRESENT = 1;
    public const uint KVM_PV_REASON_PAGE_READY = 2;

    public const uint KVM_CLOCK_PAIRING_WALLCLOCK = 0;
    public const ulong KVM_MIGRATION_READY = 1 << 0;
    public const uint KVM_PV_EOI_MASK = 1 << 0;

    // pvclock_vcpu_time_info.flags
    public const byte PVCLOCK_TSC_STABLE_BIT = 1 << 0;
    public const byte PVCLOCK_GUEST_STOPPED = 1 << 1;
}
