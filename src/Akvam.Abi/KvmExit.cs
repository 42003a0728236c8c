namespace Akvam.Abi;

/// <summary>Values of <see cref="kvm_run.exit_reason"/> and of the fields that go with them. [KVM 5]</summary>
public static class KvmExit
{
    public const uint KVM_EXIT_UNKNOWN = 0;
    public const uint KVM_EXIT_EXCEPTION = 1;
    public const uint KVM_EXIT_IO = 2;
    public const uint KVM_EXIT_HYPERCALL = 3;
    public const uint KVM_EXIT_DEBUG = 4;
    public const uint KVM_EXIT_HLT = 5;
    public const uint KVM_EXIT_MMIO = 6;
    public const uint KVM_EXIT_IRQ_WINDOW_OPEN = 7;
    public const uint KVM_EXIT_SHUTDOWN = 8;
    public const uint KVM_EXIT_FAIL_ENTRY = 9;
    public const uint KVM_EXIT_INTR = 10;
    public const uint KVM_EXIT_SET_TPR = 11;
    public const uint KVM_EXIT_TPR_ACCESS = 12;
    public const uint KVM_EXIT_NMI = 16;
    public const uint KVM_EXIT_INTERNAL_ERROR = 17;
    public const uint KVM_EXIT_WATCHDOG = 21;
    public const uint KVM_EXIT_SYSTEM_EVENT = 24;
    public const uint KVM_EXIT_IOAPIC_EOI = 26;
    public const uint KVM_EXIT_HYPERV = 27;
    public const uint KVM_EXIT_X86_RDMSR = 29;
    public const uint KVM_EXIT_X86_WRMSR = 30;
    public const uint KVM_EXIT_DIRTY_RING_FULL = 31;
    public const uint KVM_EXIT_AP_RESET_HOLD = 32;
    public const uint KVM_EXIT_X86_BUS_LOCK = 33;
    public const uint KVM_EXIT_XEN = 34;
    public const uint KVM_EXIT_NOTIFY = 37;
    public const uint KVM_EXIT_MEMORY_FAULT = 39;

    // kvm_run.io.direction
    public const byte KVM_EXIT_IO_IN = 0;
    public const byte KVM_EXIT_IO_OUT = 1;

    // kvm_run.internal.suberror
    public const uint KVM_INTERNAL_ERROR_EMULATION = 1;
    public const uint KVM_INTERNAL_ERROR_SIMUL_EX = 2;
    public const uint KVM_INTERNAL_ERROR_DELIVERY_EV = 3;
    public const uint KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON = 4;

    // kvm_run.emulation_failure.flags
    public const ulong KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES = 1 << 0;

    // kvm_run.system_event.type
    public const uint KVM_SYSTEM_EVENT_SHUTDOWN = 1;
    public const uint KVM_SYSTEM_EVENT_RESET = 2;
    public const uint KVM_SYSTEM_EVENT_CRASH = 3;
    public const uint KVM_SYSTEM_EVENT_WAKEUP = 4;
    public const uint KVM_SYSTEM_EVENT_SUSPEND = 5;
    public const uint KVM_SYSTEM_EVENT_SEV_TERM = 6;

    // kvm_run.msr.reason, and the argument of KVM_ENABLE_CAP(KVM_CAP_X86_USER_SPACE_MSR)
    public const uint KVM_MSR_EXIT_REASON_INVAL = 1 << 0;
    public const uint KVM_MSR_EXIT_REASON_UNKNOWN = 1 << 1;
    public const uint KVM_MSR_EXIT_REASON_FILTER = 1 << 2;

    // kvm_run.notify.flags
    public const uint KVM_NOTIFY_CONTEXT_INVALID = 1 << 0;

    // kvm_run.hyperv.type and kvm_run.xen.type
    public const uint KVM_EXIT_HYPERV_SYNIC = 1;
    public const uint KVM_EXIT_HYPERV_HCALL = 2;
    public const uint KVM_EXIT_HYPERV_SYNDBG = 3;
    public const uint KVM_EXIT_XEN_HCALL = 1;

    // kvm_run.flags
    public const ushort KVM_RUN_X86_SMM = 1 << 0;
    public const ushort KVM_RUN_X86_BUS_LOCK = 1 << 1;
    public const ushort KVM_RUN_X86_GUEST_MODE = 1 << 2;

    // kvm_run.kvm_valid_regs and kvm_run.kvm_dirty_regs
    public const ulong KVM_SYNC_X86_REGS = 1 << 0;
    public const ulong KVM_SYNC_X86_SREGS = 1 << 1;
    public const ulong KVM_SYNC_X86_EVENTS = 1 << 2;
    public const ulong KVM_SYNC_X86_VALID_FIELDS = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
}
