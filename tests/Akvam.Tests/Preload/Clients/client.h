/* What the small KVM clients of the tests share. A client prints nothing and ends with 0, or says what went wrong and ends with 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                          \
    do                                                                                            \
    {                                                                                             \
        if (!(condition))                                                                         \
        {                                                                                         \
            fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", __FILE__, __LINE__, #condition, errno, strerror(errno)); \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* The call fails with this errno. */
#define REFUSED(error, call)                                                                      \
    do                                                                                            \
    {                                                                                             \
        errno = 0;                                                                                \
        long result_ = (call);                                                                    \
        if (result_ != -1 || errno != (error))                                                    \
        {                                                                                         \
            fprintf(stderr, "%s:%d: %s gave %ld, errno %d, not %s\n", __FILE__, __LINE__, #call, result_, errno, #error); \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

#define MEMORY_SIZE 0x10000
#define CODE 0x1000

struct machine
{
    int kvm, vm, vcpu;
    unsigned char *memory;
    struct kvm_run *run;
};

/* A vCPU in real mode at CODE, and 64 KiB of memory. */
static inline struct machine make_machine(const unsigned char *code, size_t size, int irqchip)
{
    struct machine m;
    CHECK((m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC)) >= 0);
    CHECK((m.vm = ioctl(m.kvm, KVM_CREATE_VM, 0)) >= 0);
    if (irqchip)
    {
        CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
    }

    m.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(m.memory != MAP_FAILED);
    memcpy(m.memory + CODE, code, size);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY_SIZE, .userspace_addr = (uintptr_t)m.memory};
    CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);

    CHECK((m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 0)) >= 0);
    int map = ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    CHECK(map >= (int)sizeof(struct kvm_run));
    m.run = mmap(NULL, map, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, 0);
    CHECK(m.run != MAP_FAILED);

    struct kvm_sregs sregs;
    CHECK(ioctl(m.vcpu, KVM_GET_SREGS, &sregs) == 0);
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    CHECK(ioctl(m.vcpu, KVM_SET_SREGS, &sregs) == 0);
    struct kvm_regs regs = {.rip = CODE, .rax = 2, .rbx = 3, .rflags = 2};
    CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
    return m;
}

static inline void close_machine(struct machine *m)
{
    CHECK(munmap(m->run, ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0)) == 0);
    CHECK(close(m->vcpu) == 0 && close(m->vm) == 0 && close(m->kvm) == 0);
    CHECK(munmap(m->memory, MEMORY_SIZE) == 0);
}
