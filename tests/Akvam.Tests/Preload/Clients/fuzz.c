/* Random requests with random arguments on every kind of file from several threads: each succeeds or is refused, and afterwards the process works as before. */
#include "client.h"

#define THREADS 3
#define CALLS 350000

static const unsigned char code[] = {0xF4};
static struct machine m;
static unsigned char *page; /* followed by one that cannot be accessed */

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Numbers that exist, with the size they are known by, or another one. KVM_RUN and new memory are left out: a slot may show only memory that is there. */
static unsigned long random_request(uint64_t *state)
{
    static const unsigned long known[] =
    {
        KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_MSRS, KVM_SET_MSRS, KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SET_CPUID2,
        KVM_GET_CPUID2, KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_XSAVE, KVM_SET_XSAVE,
        KVM_GET_XCRS, KVM_SET_XCRS, KVM_INTERRUPT, KVM_NMI, KVM_SMI, KVM_SET_GUEST_DEBUG, KVM_X86_SETUP_MCE, KVM_X86_SET_MCE, KVM_GET_TSC_KHZ, KVM_SET_TSC_KHZ,
        KVM_KVMCLOCK_CTRL, KVM_SET_SIGNAL_MASK, KVM_GET_SUPPORTED_CPUID, KVM_GET_MSR_INDEX_LIST, KVM_CHECK_EXTENSION, KVM_GET_API_VERSION, KVM_GET_VCPU_MMAP_SIZE,
        KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS, KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_GET_PIT2, KVM_SET_PIT2, KVM_CREATE_PIT2, KVM_GET_CLOCK,
        KVM_SET_CLOCK, KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG, KVM_ENABLE_CAP, KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR, KVM_SET_BOOT_CPU_ID, KVM_REINJECT_CONTROL,
        KVM_GET_SREGS2, KVM_SET_SREGS2, KVM_GET_XSAVE2, KVM_TRANSLATE, KVM_SET_VAPIC_ADDR, KVM_TPR_ACCESS_REPORTING, KVM_GET_STATS_FD, KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
        KVM_IOEVENTFD, KVM_IRQFD, KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO, KVM_X86_SET_MSR_FILTER, KVM_RESET_DIRTY_RINGS, KVM_SET_NR_MMU_PAGES,
        KVM_GET_NR_MMU_PAGES, KVM_CREATE_IRQCHIP, KVM_CREATE_PIT, KVM_GET_EMULATED_CPUID, KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_X86_GET_MCE_CAP_SUPPORTED,
        KVM_TPR_ACCESS_REPORTING, KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE, KVM_CREATE_DEVICE, KVM_GET_SUPPORTED_HV_CPUID,
    };
    uint64_t r = next(state);
    unsigned long request = known[r % (sizeof known / sizeof known[0])];
    if ((r >> 40) % 8 == 0)
    {
        request ^= 1ul << (16 + (r >> 48) % 16);
    }

    return request == KVM_SET_USER_MEMORY_REGION || request == KVM_CREATE_VCPU || request == KVM_CREATE_VM || (request & 0xFFFF) == (KVM_RUN & 0xFFFF) ? 0xAEFF : request;
}

static void *fuzz(void *seed)
{
    uint64_t state = 88172645463325252ull + (uintptr_t)seed;
    int files[] = {m.kvm, m.vm, m.vcpu};
    unsigned char area[16384]; /* more than the 256 entries that KVM_GET_CPUID2 can give back */
    for (int i = 0; i < CALLS; i++)
    {
        uint64_t r = next(&state);
        for (int j = 0; j < 64; j++)
        {
            area[next(&state) % sizeof area] = (r >> 32) % 3 == 0 ? 0 : next(&state);
        }

        uintptr_t arguments[] = {(uintptr_t)area, (uintptr_t)area + r % 9, (uintptr_t)page + 4096 - (r >> 8) % 600, 0, r, r % 100, (uintptr_t)area};
        errno = 0;
        unsigned long request = random_request(&state);
        int result = ioctl(files[(r >> 20) % 3], request, arguments[(r >> 24) % 7]);
        if (result >= 0 && request == KVM_GET_STATS_FD)
        {
            CHECK(close(result) == 0);
        }

        switch (result < 0 ? errno : 0)
        {
            case 0: case EFAULT: case EINVAL: case ENOTTY: case E2BIG: case EEXIST: case ENXIO: case ENOENT: case EBUSY: case EBADF: case ENOSPC:
                break;
            default:
                fprintf(stderr, "errno %d: %s\n", errno, strerror(errno));
                exit(1);
        }
    }

    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    m = make_machine(code, sizeof code, 1);
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && mprotect(page + 4096, 4096, PROT_NONE) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
    {
        CHECK(pthread_create(&threads[i], NULL, fuzz, (void *)(i * 1000003)) == 0);
    }

    for (int i = 0; i < THREADS; i++)
    {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }

    close_machine(&m);
    m = make_machine(code, sizeof code, 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
    close_machine(&m);
    return 0;
}
