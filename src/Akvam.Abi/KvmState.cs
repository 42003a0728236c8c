namespace Akvam.Abi;

/// <summary>Flags and values in the structures that read and write the state of a vCPU or of a VM's clock.</summary>
public static class KvmState
{
    // kvm_sregs2.flags
    public const ulong KVM_SREGS2_FLAGS_PDPTRS_VALID = 1;

    // kvm_vcpu_events.flags [KVM 4.31]
    public const uint KVM_VCPUEVENT_VALID_NMI_PENDING = 0x01;
    public const uint KVM_VCPUEVENT_VALID_SIPI_VECTOR = 0x02;
    public const uint KVM_VCPUEVENT_VALID_SHADOW = 0x04;
    public const uint KVM_VCPUEVENT_VALID_SMM = 0x08;
    public const uint KVM_VCPUEVENT_VALID_PAYLOAD = 0x10;
    public const uint KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 0x20;

    // kvm_vcpu_events.interrupt.shadow
    public const byte KVM_X86_SHADOW_INT_MOV_SS = 0x01;
    public const byte KVM_X86_SHADOW_INT_STI = 0x02;

    // kvm_mp_state.mp_state [KVM 4.38]
    public const uint KVM_MP_STATE_RUNNABLE = 0;
    public const uint KVM_MP_STATE_UNINITIALIZED = 1;
    public const uint KVM_MP_STATE_INIT_RECEIVED = 2;
    public const uint KVM_MP_STATE_HALTED = 3;
    public const uint KVM_MP_STATE_SIPI_RECEIVED = 4;
    public const uint KVM_MP_STATE_STOPPED = 5;
    public const uint KVM_MP_STATE_AP_RESET_HOLD = 9;

    // kvm_nested_state.format, .flags and the sizes of its data
    public const ushort KVM_STATE_NESTED_FORMAT_VMX = 0;
    public const ushort KVM_STATE_NESTED_FORMAT_SVM = 1;
    public const ushort KVM_STATE_NESTED_GUEST_MODE = 0x0001;
    public const ushort KVM_STATE_NESTED_RUN_PENDING = 0x0002;
    public const ushort KVM_STATE_NESTED_EVMCS = 0x0004;
    public const ushort KVM_STATE_NESTED_MTF_PENDING = 0x0008;
    public const ushort KVM_STATE_NESTED_GIF_SET = 0x0100;
    public const uint KVM_STATE_NESTED_SMM_GUEST_MODE = 0x1;
    public const uint KVM_STATE_NESTED_SMM_VMXON = 0x2;
    public const uint KVM_STATE_NESTED_VMX_VMCS_SIZE = 0x1000;
    public const uint KVM_STATE_NESTED_SVM_VMCB_SIZE = 0x1000;
    public const uint KVM_STATE_VMX_PREEMPTION_TIMER_DEADLINE = 0x1;

    // kvm_clock_data.flags
    public const uint KVM_CLOCK_TSC_STABLE = 2;
    public const uint KVM_CLOCK_REALTIME = 1 << 2;
    public const uint KVM_CLOCK_HOST_TSC = 1 << 3;

    // Attributes: of the system file (group 0), and of a vCPU's time-stamp counter
    public const uint KVM_X86_XCOMP_GUEST_SUPP = 0;
    public const uint KVM_VCPU_TSC_CTRL = 0;
    public const uint KVM_VCPU_TSC_OFFSET = 0;

    // kvm_guest_debug.control [KVM 4.87]
    public const uint KVM_GUESTDBG_ENABLE = 0x00000001;
    public const uint KVM_GUESTDBG_SINGLESTEP = 0x00000002;
    public const uint KVM_GUESTDBG_USE_SW_BP = 0x00010000;
    public const uint KVM_GUESTDBG_USE_HW_BP = 0x00020000;
    public const uint KVM_GUESTDBG_INJECT_DB = 0x00040000;
    public const uint KVM_GUESTDBG_INJECT_BP = 0x00080000;
    public const uint KVM_GUESTDBG_BLOCKIRQ = 0x00100000;

    // kvm_cpuid_entry2.flags; the spelling of the first is the kernel's
    public const uint KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1 << 0;
    public const uint KVM_CPUID_FLAG_STATEFUL_FUNC = 1 << 1;
    public const uint KVM_CPUID_FLAG_STATE_READ_NEXT = 1 << 2;

    // kvm_msr_filter and its ranges [KVM 4.97]
    public const uint KVM_MSR_FILTER_READ = 1 << 0;
    public const uint KVM_MSR_FILTER_WRITE = 1 << 1;
    public const uint KVM_MSR_FILTER_DEFAULT_ALLOW = 0 << 0;
    public const uint KVM_MSR_FILTER_DEFAULT_DENY = 1 << 0;
    public const uint KVM_MSR_FILTER_MAX_BITMAP_SIZE = 0x600;
    public const uint KVM_MSR_FILTER_MAX_RANGES = 16;
}
