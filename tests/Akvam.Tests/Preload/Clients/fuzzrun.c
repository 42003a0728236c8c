/*
 * Two vCPUs run random code in random states, kicked out by signals, while another thread moves the memory under them (slots that overlap, are misaligned, show nothing or
 * what may not be touched) and sends interrupts of all kinds, and makes and forgets vCPUs and VMs. Each call succeeds or is refused, each run ends for a reason that KVM
 * has, and afterwards the process works as before. FUZZ_RUNS in the environment is how many runs (1000).
 */
#include "client.h"

#define RUNNERS 2
#define AREA 0x100000

static const unsigned char code[] = {0xF4};
static struct machine m;
static unsigned char *area; /* half of it is random memory, a quarter may only be read, a quarter not at all */
static _Atomic int running = RUNNERS;
static int runs = 1000;

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void check_errno(int result, const char *what)
{
    switch (result < 0 ? errno : 0)
    {
        case 0: case EINTR: case EFAULT: case EINVAL: case EEXIST: case ENXIO: case ENOENT: case EBUSY: case ENOMEM: case EAGAIN: case EIO:
            break;
        default:
            fprintf(stderr, "%s: errno %d: %s\n", what, errno, strerror(errno));
            exit(1);
    }
}

static void kicked(int signal)
{
    (void)signal;
}

struct runner { pthread_t thread; int vcpu; struct kvm_run *page; uint64_t state; };

/* Registers of real, protected or long mode; nonsense is refused, and what was there before stays. */
static void set_state(struct runner *r)
{
    struct kvm_regs regs = {.rip = next(&r->state) % MEMORY_SIZE, .rflags = 2 | (next(&r->state) & 0x244ED5)};
    for (size_t i = 0; i < 16; i++)
    {
        ((uint64_t *)&regs)[i] = next(&r->state) >> (next(&r->state) % 64);
    }

    check_errno(ioctl(r->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    struct kvm_sregs sregs;
    CHECK(ioctl(r->vcpu, KVM_GET_SREGS, &sregs) == 0);
    sregs.cr0 = (next(&r->state) & 0x60050021) | 0x10;
    sregs.cr4 = next(&r->state) & 0x3006B0;
    sregs.cr3 = (next(&r->state) % 16) << 12;
    sregs.efer = next(&r->state) & 0xD01;
    sregs.cs.l = next(&r->state) & 1;
    sregs.cs.db = next(&r->state) & 1;
    sregs.cs.base = 0;
    check_errno(ioctl(r->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    check_errno(ioctl(r->vcpu, KVM_SET_MP_STATE, &runnable), "KVM_SET_MP_STATE");
}

static void *run(void *argument)
{
    struct runner *r = argument;
    for (int i = 0; i < runs; i++)
    {
        if (next(&r->state) % 4 == 0)
        {
            set_state(r);
        }

        r->page->immediate_exit = next(&r->state) % 8 == 0;
        r->page->request_interrupt_window = next(&r->state) & 1;
        int result = ioctl(r->vcpu, KVM_RUN, 0);
        check_errno(result, "KVM_RUN");
        if (result == 0 && r->page->exit_reason > KVM_EXIT_NOTIFY)
        {
            fprintf(stderr, "exit reason %u\n", r->page->exit_reason);
            exit(1);
        }
    }

    running--;
    return NULL;
}

static void disturb(uint64_t *state)
{
    uint64_t r = next(state);
    uint64_t offset = next(state) % AREA & ~(r % 16 == 0 ? 0ull : 0xFFFull);
    struct kvm_userspace_memory_region region =
    {
        .slot = 1 + (uint32_t)(r >> 8) % 5 + ((r >> 16) % 8 == 0 ? 1u << 16 : 0), .flags = (uint32_t)(r >> 24) % 5, .guest_phys_addr = (r >> 32) % 64 << 12,
        .memory_size = (r >> 40) % 8 << 12, .userspace_addr = (r >> 48) % 16 == 0 ? offset : (uintptr_t)area + offset,
    };
    if (region.userspace_addr - (uintptr_t)area > AREA - region.memory_size)
    {
        region.userspace_addr = (uintptr_t)area;
    }

    struct kvm_msi msi = {.address_lo = 0xFEE00000 | (uint32_t)(r >> 20 & 0xFF) << 12, .data = (uint32_t)(r >> 32) & 0xCFFF};
    struct kvm_irq_level line = {.irq = (uint32_t)(r >> 32) % 30, .level = (uint32_t)(r >> 40) & 1};
    int other;
    switch (r % 16)
    {
        case 0:
            check_errno(other = ioctl(m.kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
            check_errno(ioctl(other, KVM_CREATE_VCPU, r >> 50), "KVM_CREATE_VCPU");
            close(other);
            break;
        case 1:
            check_errno(other = ioctl(m.vm, KVM_CREATE_VCPU, 2 + (r >> 50) % 6), "KVM_CREATE_VCPU");
            if (other >= 0)
            {
                close(other);
            }

            break;
        case 2: case 3: case 4: case 5:
            check_errno(ioctl(m.vm, KVM_SIGNAL_MSI, &msi), "KVM_SIGNAL_MSI");
            break;
        case 6: case 7: case 8:
            check_errno(ioctl(m.vm, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
            break;
        default:
            check_errno(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
            break;
    }
}

int main(void)
{
    struct runner runners[RUNNERS];
    uint64_t state = 0x9E3779B97F4A7C15u;
    runs = getenv("FUZZ_RUNS") != NULL ? atoi(getenv("FUZZ_RUNS")) : runs;
    struct sigaction action = {.sa_handler = kicked};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    for (size_t i = 0; i < AREA / 2; i += 8)
    {
        uint64_t value = next(&state);
        memcpy(area + i, &value, sizeof value);
    }

    CHECK(mprotect(area + AREA / 2, AREA / 4, PROT_READ) == 0 && mprotect(area + AREA / 4 * 3, AREA / 4, PROT_NONE) == 0);
    m = make_machine(code, sizeof code, 1);
    for (size_t i = 0; i < MEMORY_SIZE; i += 8)
    {
        uint64_t value = next(&state);
        memcpy(m.memory + i, &value, sizeof value);
    }

    int size = ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    for (int i = 0; i < RUNNERS; i++)
    {
        runners[i].vcpu = i == 0 ? m.vcpu : ioctl(m.vm, KVM_CREATE_VCPU, i);
        runners[i].page = i == 0 ? m.run : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, runners[i].vcpu, 0);
        runners[i].state = next(&state);
        CHECK(runners[i].vcpu >= 0 && runners[i].page != MAP_FAILED);
    }

    for (int i = 0; i < RUNNERS; i++)
    {
        CHECK(pthread_create(&runners[i].thread, NULL, run, &runners[i]) == 0);
    }

    while (running > 0)
    {
        for (int i = 0; i < RUNNERS; i++)
        {
            pthread_kill(runners[i].thread, SIGUSR1);
        }

        disturb(&state);
        usleep(200);
    }

    for (int i = 0; i < RUNNERS; i++)
    {
        CHECK(pthread_join(runners[i].thread, NULL) == 0);
    }

    CHECK(munmap(runners[1].page, size) == 0 && close(runners[1].vcpu) == 0);
    close_machine(&m);
    m = make_machine(code, sizeof code, 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
    close_machine(&m);
    return 0;
}
