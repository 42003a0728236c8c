namespace Akvam.Abi;

/// <summary>Arguments of KVM_ENABLE_CAP that change how a VM behaves, and the layout words of binary statistics.</summary>
public static class KvmTuning
{
    // KVM_CAP_DISABLE_QUIRKS, KVM_CAP_DISABLE_QUIRKS2 [KVM 7.31]
    public const ulong KVM_X86_QUIRK_LINT0_REENABLED = 1 << 0;
    public const ulong KVM_X86_QUIRK_CD_NW_CLEARED = 1 << 1;
    public const ulong KVM_X86_QUIRK_LAPIC_MMIO_HOLE = 1 << 2;
    public const ulong KVM_X86_QUIRK_OUT_7E_INC_RIP = 1 << 3;
    public const ulong KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT = 1 << 4;
    public const ulong KVM_X86_QUIRK_FIX_HYPERCALL_INSN = 1 << 5;
    public const ulong KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS = 1 << 6;
    public const ulong KVM_X86_QUIRK_SLOT_ZAP_ALL = 1 << 7;
    public const ulong KVM_X86_QUIRK_STUFF_FEATURE_MSRS = 1 << 8;

    // KVM_CAP_X86_DISABLE_EXITS [KVM 7.13]
    public const ulong KVM_X86_DISABLE_EXITS_MWAIT = 1 << 0;
    public const ulong KVM_X86_DISABLE_EXITS_HLT = 1 << 1;
    public const ulong KVM_X86_DISABLE_EXITS_PAUSE = 1 << 2;
    public const ulong KVM_X86_DISABLE_EXITS_CSTATE = 1 << 3;

    // KVM_CAP_X86_BUS_LOCK_EXIT, KVM_CAP_X86_NOTIFY_VMEXIT, KVM_CAP_PMU_CAPABILITY
    public const ulong KVM_BUS_LOCK_DETECTION_OFF = 1 << 0;
    public const ulong KVM_BUS_LOCK_DETECTION_EXIT = 1 << 1;
    public const ulong KVM_X86_NOTIFY_VMEXIT_ENABLED = 1 << 0;
    public const ulong KVM_X86_NOTIFY_VMEXIT_USER = 1 << 1;
    public const ulong KVM_PMU_CAP_DISABLE = 1 << 0;

    // kvm_create_device.flags and .type
    public const uint KVM_CREATE_DEVICE_TEST = 1;
    public const uint KVM_DEV_TYPE_VFIO = 4;

    // kvm_stats_desc.flags [KVM 4.133]
    public const uint KVM_STATS_TYPE_MASK = 0xF;
    public const uint KVM_STATS_TYPE_CUMULATIVE = 0x0;
    public const uint KVM_STATS_TYPE_INSTANT = 0x1;
    public const uint KVM_STATS_TYPE_PEAK = 0x2;
    public const uint KVM_STATS_TYPE_LINEAR_HIST = 0x3;
    public const uint KVM_STATS_TYPE_LOG_HIST = 0x4;
    public const uint KVM_STATS_UNIT_MASK = 0xF0;
    public const uint KVM_STATS_UNIT_NONE = 0x00;
    public const uint KVM_STATS_UNIT_BYTES = 0x10;
    public const uint KVM_STATS_UNIT_SECONDS = 0x20;
    public const uint KVM_STATS_UNIT_CYCLES = 0x30;
    public const uint KVM_STATS_UNIT_BOOLEAN = 0x40;
    public const uint KVM_STATS_BASE_MASK = 0xF00;
    public const uint KVM_STATS_BASE_POW10 = 0x000;
    public const uint KVM_STATS_BASE_POW2 = 0x100;
}
