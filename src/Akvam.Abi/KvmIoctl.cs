namespace Akvam.Abi;

/// <summary>
/// Request numbers, as a 64-bit caller passes them to <c>ioctl</c>: direction in bits 31:30, size of the structure in 29:16, the type byte
/// 0xAE in 15:8, the number in 7:0. A size is that of the fixed part, for structures that end in an array. Several numbers occur twice and are told
/// apart by direction and size only, so a request is always compared whole.
/// </summary>
public static class KvmIoctl
{
    private const uint None = KvmApi.KVMIO << 8;
    private const uint Write = None | 1u << 30;
    private const uint Read = None | 2u << 30;

    // System file
    public const uint KVM_GET_API_VERSION = None | 0x00;
    public const uint KVM_CREATE_VM = None | 0x01;
    public const uint KVM_GET_MSR_INDEX_LIST = Read | Write | 4 << 16 | 0x02;
    public const uint KVM_CHECK_EXTENSION = None | 0x03;
    public const uint KVM_GET_VCPU_MMAP_SIZE = None | 0x04;
    public const uint KVM_GET_SUPPORTED_CPUID = Read | Write | 8 << 16 | 0x05;
    public const uint KVM_GET_EMULATED_CPUID = Read | Write | 8 << 16 | 0x09;
    public const uint KVM_GET_MSR_FEATURE_INDEX_LIST = Read | Write | 4 << 16 | 0x0a;
    public const uint KVM_X86_GET_MCE_CAP_SUPPORTED = Read | 8 << 16 | 0x9d;
    public const uint KVM_GET_SUPPORTED_HV_CPUID = Read | Write | 8 << 16 | 0xc1;

    // VM file
    public const uint KVM_CREATE_VCPU = None | 0x41;
    public const uint KVM_GET_DIRTY_LOG = Write | 16 << 16 | 0x42;
    public const uint KVM_SET_NR_MMU_PAGES = None | 0x44;
    public const uint KVM_GET_NR_MMU_PAGES = None | 0x45;
    public const uint KVM_SET_USER_MEMORY_REGION = Write | 32 << 16 | 0x46;
    public const uint KVM_SET_TSS_ADDR = None | 0x47;
    public const uint KVM_SET_IDENTITY_MAP_ADDR = Write | 8 << 16 | 0x48;
    public const uint KVM_SET_USER_MEMORY_REGION2 = Write | 160 << 16 | 0x49;
    public const uint KVM_CREATE_IRQCHIP = None | 0x60;
    public const uint KVM_IRQ_LINE = Write | 8 << 16 | 0x61;
    public const uint KVM_GET_IRQCHIP = Read | Write | 520 << 16 | 0x62;
    public const uint KVM_SET_IRQCHIP = Read | 520 << 16 | 0x63;
    public const uint KVM_CREATE_PIT = None | 0x64;
    public const uint KVM_GET_PIT = Read | Write | 72 << 16 | 0x65;
    public const uint KVM_SET_PIT = Read | 72 << 16 | 0x66;
    public const uint KVM_IRQ_LINE_STATUS = Read | Write | 8 << 16 | 0x67;
    public const uint KVM_REGISTER_COALESCED_MMIO = Write | 16 << 16 | 0x67;
    public const uint KVM_UNREGISTER_COALESCED_MMIO = Write | 16 << 16 | 0x68;
    public const uint KVM_SET_GSI_ROUTING = Write | 8 << 16 | 0x6a;
    public const uint KVM_REINJECT_CONTROL = None | 0x71;
    public const uint KVM_IRQFD = Write | 32 << 16 | 0x76;
    public const uint KVM_CREATE_PIT2 = Write | 64 << 16 | 0x77;
    public const uint KVM_SET_BOOT_CPU_ID = None | 0x78;
    public const uint KVM_IOEVENTFD = Write | 64 << 16 | 0x79;
    public const uint KVM_XEN_HVM_CONFIG = Write | 56 << 16 | 0x7a;
    public const uint KVM_SET_CLOCK = Write | 48 << 16 | 0x7b;
    public const uint KVM_GET_CLOCK = Read | 48 << 16 | 0x7c;
    public const uint KVM_GET_PIT2 = Read | 112 << 16 | 0x9f;
    public const uint KVM_SET_PIT2 = Write | 112 << 16 | 0xa0;
    public const uint KVM_SIGNAL_MSI = Write | 32 << 16 | 0xa5;
    public const uint KVM_SET_PMU_EVENT_FILTER = Write | 32 << 16 | 0xb2;
    public const uint KVM_CLEAR_DIRTY_LOG = Read | Write | 24 << 16 | 0xc0;
    public const uint KVM_X86_SET_MSR_FILTER = Write | 392 << 16 | 0xc6;
    public const uint KVM_RESET_DIRTY_RINGS = None | 0xc7;
    public const uint KVM_GET_STATS_FD = None | 0xce;
    public const uint KVM_CREATE_DEVICE = Read | Write | 12 << 16 | 0xe0;

    // Any file with attributes (system, VM, vCPU, device)
    public const uint KVM_SET_DEVICE_ATTR = Write | 24 << 16 | 0xe1;
    public const uint KVM_GET_DEVICE_ATTR = Write | 24 << 16 | 0xe2;
    public const uint KVM_HAS_DEVICE_ATTR = Write | 24 << 16 | 0xe3;

    // VM and vCPU file
    public const uint KVM_ENABLE_CAP = Write | 104 << 16 | 0xa3;
    public const uint KVM_SET_TSC_KHZ = None | 0xa2;
    public const uint KVM_GET_TSC_KHZ = None | 0xa3;

    // vCPU file
    public const uint KVM_RUN = None | 0x80;
    public const uint KVM_GET_REGS = Read | 144 << 16 | 0x81;
    public const uint KVM_SET_REGS = Write | 144 << 16 | 0x82;
    public const uint KVM_GET_SREGS = Read | 312 << 16 | 0x83;
    public const uint KVM_SET_SREGS = Write | 312 << 16 | 0x84;
    public const uint KVM_TRANSLATE = Read | Write | 24 << 16 | 0x85;
    public const uint KVM_INTERRUPT = Write | 4 << 16 | 0x86;
    public const uint KVM_GET_MSRS = Read | Write | 8 << 16 | 0x88;
    public const uint KVM_SET_MSRS = Write | 8 << 16 | 0x89;
    public const uint KVM_SET_CPUID = Write | 8 << 16 | 0x8a;
    public const uint KVM_SET_SIGNAL_MASK = Write | 4 << 16 | 0x8b;
    public const uint KVM_GET_FPU = Read | 416 << 16 | 0x8c;
    public const uint KVM_SET_FPU = Write | 416 << 16 | 0x8d;
    public const uint KVM_GET_LAPIC = Read | 1024 << 16 | 0x8e;
    public const uint KVM_SET_LAPIC = Write | 1024 << 16 | 0x8f;
    public const uint KVM_SET_CPUID2 = Write | 8 << 16 | 0x90;
    public const uint KVM_GET_CPUID2 = Read | Write | 8 << 16 | 0x91;
    public const uint KVM_TPR_ACCESS_REPORTING = Read | Write | 40 << 16 | 0x92;
    public const uint KVM_SET_VAPIC_ADDR = Write | 8 << 16 | 0x93;
    public const uint KVM_GET_MP_STATE = Read | 4 << 16 | 0x98;
    public const uint KVM_SET_MP_STATE = Write | 4 << 16 | 0x99;
    public const uint KVM_NMI = None | 0x9a;
    public const uint KVM_SET_GUEST_DEBUG = Write | 72 << 16 | 0x9b;
    public const uint KVM_X86_SETUP_MCE = Write | 8 << 16 | 0x9c;
    public const uint KVM_X86_SET_MCE = Write | 64 << 16 | 0x9e;
    public const uint KVM_GET_VCPU_EVENTS = Read | 64 << 16 | 0x9f;
    public const uint KVM_SET_VCPU_EVENTS = Write | 64 << 16 | 0xa0;
    public const uint KVM_GET_DEBUGREGS = Read | 128 << 16 | 0xa1;
    public const uint KVM_SET_DEBUGREGS = Write | 128 << 16 | 0xa2;
    public const uint KVM_GET_XSAVE = Read | 4096 << 16 | 0xa4;
    public const uint KVM_SET_XSAVE = Write | 4096 << 16 | 0xa5;
    public const uint KVM_GET_XCRS = Read | 392 << 16 | 0xa6;
    public const uint KVM_SET_XCRS = Write | 392 << 16 | 0xa7;
    public const uint KVM_GET_ONE_REG = Write | 16 << 16 | 0xab;
    public const uint KVM_SET_ONE_REG = Write | 16 << 16 | 0xac;
    public const uint KVM_KVMCLOCK_CTRL = None | 0xad;
    public const uint KVM_GET_REG_LIST = Read | Write | 8 << 16 | 0xb0;
    public const uint KVM_SMI = None | 0xb7;
    public const uint KVM_GET_NESTED_STATE = Read | Write | 128 << 16 | 0xbe;
    public const uint KVM_SET_NESTED_STATE = Write | 128 << 16 | 0xbf;
    public const uint KVM_GET_SREGS2 = Read | 320 << 16 | 0xcc;
    public const uint KVM_SET_SREGS2 = Write | 320 << 16 | 0xcd;
    public const uint KVM_GET_XSAVE2 = Read | 4096 << 16 | 0xcf;

    // Recognised so that they can be refused by name
    public const uint KVM_MEMORY_ENCRYPT_OP = Read | Write | 8 << 16 | 0xba;
    public const uint KVM_HYPERV_EVENTFD = Write | 24 << 16 | 0xbd;
}
