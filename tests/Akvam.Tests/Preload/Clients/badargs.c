/* Every wrong argument gets the errno of the real kernel, and the process lives. */
#include "client.h"

static const unsigned char code[] = {0xF4};

int main(void)
{
    CHECK(access("/dev/kvm", R_OK | W_OK) == 0);
    struct machine m = make_machine(code, sizeof code, 1);
    char *page = mmap(NULL, 0x3000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mprotect(page + 0x1000, 0x2000, PROT_NONE) == 0);
    char *bad[] = {NULL, (char *)1, page + 0x1000, page + 0x1000 - 8, (char *)0x800000000000ull, (char *)-4096l};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    {
        REFUSED(EFAULT, ioctl(m.vcpu, KVM_GET_REGS, bad[i]));
        REFUSED(EFAULT, ioctl(m.vcpu, KVM_SET_REGS, bad[i]));
        REFUSED(EFAULT, ioctl(m.vcpu, KVM_SET_SREGS, bad[i]));
        REFUSED(EFAULT, ioctl(m.vcpu, KVM_GET_LAPIC, bad[i]));
        REFUSED(EFAULT, ioctl(m.vcpu, KVM_SET_XSAVE, bad[i]));
        REFUSED(EFAULT, ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, bad[i]));
        REFUSED(EFAULT, ioctl(m.vm, KVM_GET_CLOCK, bad[i]));
    }

    REFUSED(EFAULT, ioctl(m.vcpu, KVM_GET_REGS, (void *)main));

    REFUSED(ENOTTY, ioctl(m.kvm, KVM_RUN, 0));
    REFUSED(ENOTTY, ioctl(m.vm, KVM_RUN, 0));
    REFUSED(ENOTTY, ioctl(m.vcpu, KVM_CREATE_VM, 0));
    REFUSED(ENOTTY, ioctl(m.vcpu, _IO(KVMIO, 0xFE), 0));
    REFUSED(ENOTTY, ioctl(m.vm, TIOCGWINSZ, page));
    REFUSED(EBADF, ioctl(-1, KVM_GET_API_VERSION, 0));
    REFUSED(EBADF, ioctl(1000, KVM_GET_API_VERSION, 0));

    REFUSED(EINVAL, ioctl(m.kvm, KVM_GET_API_VERSION, 1));
    REFUSED(EINVAL, ioctl(m.kvm, KVM_CREATE_VM, 77));
    REFUSED(EINVAL, ioctl(m.vcpu, KVM_RUN, 1));
    REFUSED(EINVAL, ioctl(m.vm, KVM_CREATE_VCPU, 1 << 20));
    REFUSED(EEXIST, ioctl(m.vm, KVM_CREATE_VCPU, 0));
    REFUSED(EEXIST, ioctl(m.vm, KVM_CREATE_IRQCHIP, 0));
    struct kvm_userspace_memory_region region = {.slot = 1, .guest_phys_addr = 0x20000, .memory_size = 0x1001, .userspace_addr = (uintptr_t)m.memory};
    REFUSED(EINVAL, ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region));
    struct kvm_enable_cap cap = {.cap = 9999};
    REFUSED(EINVAL, ioctl(m.vm, KVM_ENABLE_CAP, &cap));
    struct kvm_mp_state state = {.mp_state = 77};
    REFUSED(EINVAL, ioctl(m.vcpu, KVM_SET_MP_STATE, &state));
    struct kvm_signal_mask mask = {.len = 3};
    REFUSED(EINVAL, ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, &mask));
    REFUSED(EFAULT, ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, page + 0x1000));

    /* Counts that are found out by trying. */
    struct { struct kvm_msr_list list; uint32_t room[1000]; } msrs = {0};
    REFUSED(E2BIG, ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, &msrs));
    CHECK(msrs.list.nmsrs > 20 && msrs.list.nmsrs <= 1000);
    CHECK(ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, &msrs) == 0);
    struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[256]; } cpuid = {.head.nent = 1};
    REFUSED(E2BIG, ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
    cpuid.head.nent = 256;
    CHECK(ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0 && cpuid.head.nent > 10 && cpuid.head.nent < 256);
    uint32_t offered = cpuid.head.nent;
    CHECK(ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid) == 0);
    cpuid.head.nent = 256;
    CHECK(ioctl(m.vcpu, KVM_GET_CPUID2, &cpuid) == 0 && cpuid.head.nent == offered);
    cpuid.head.nent = 257;
    REFUSED(E2BIG, ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid));
    struct { struct kvm_msrs head; struct kvm_msr_entry entries[2]; } two = {.head.nmsrs = 2, .entries = {{.index = 0xC0000080}, {.index = 0x12345678}}};
    CHECK(ioctl(m.vcpu, KVM_GET_MSRS, &two) == 1);
    two.head.nmsrs = 256;
    REFUSED(E2BIG, ioctl(m.vcpu, KVM_GET_MSRS, &two));

    close_machine(&m);

    /* The number of a closed descriptor may become another file's. */
    int other = open("/dev/null", O_RDWR);
    CHECK(dup2(other, m.kvm) == m.kvm);
    REFUSED(ENOTTY, ioctl(m.kvm, KVM_GET_API_VERSION, 0));
    return 0;
}
