// costs MODE COUNT: what a KVM client pays, in nanoseconds of its own CPU time. The last line of the output is the figure.
//   empty   opens nothing: all of this process up to its end
//   open    opens /dev/kvm and nothing more: the same, with what serves it
//   call    one KVM_GET_API_VERSION
//   run     one KVM_RUN that a guest ends by writing to a port
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE 4096

static void check(int good, const char *what)
{
    if (!good)
    {
        perror(what);
        exit(1);
    }
}

static double cpu_time(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int make_vcpu(int kvm, struct kvm_run **run)
{
    static const unsigned char code[] = {0xE6, 0x10, 0xEB, 0xFC}; // l: out 10h, al; jmp l
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    unsigned char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(vcpu >= 0 && memory != MAP_FAILED, "vCPU");
    memcpy(memory, code, sizeof code);
    struct kvm_userspace_memory_region region = {.memory_size = PAGE, .userspace_addr = (uintptr_t)memory};
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0, "memory");
    struct kvm_sregs sregs;
    check(ioctl(vcpu, KVM_GET_SREGS, &sregs) == 0, "registers");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    struct kvm_regs regs = {.rflags = 2};
    check(ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0, "registers");
    *run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    check(*run != MAP_FAILED, "run page");
    return vcpu;
}

int main(int count, char **arguments)
{
    const char *mode = count == 3 ? arguments[1] : "";
    long times = count == 3 ? atol(arguments[2]) : 0;
    double result;
    if (strcmp(mode, "empty") == 0 || strcmp(mode, "open") == 0)
    {
        check(mode[0] == 'e' || open("/dev/kvm", O_RDWR) >= 0, "/dev/kvm");
        result = cpu_time(CLOCK_PROCESS_CPUTIME_ID);
    }
    else if ((strcmp(mode, "call") == 0 || strcmp(mode, "run") == 0) && times > 0)
    {
        int kvm = open("/dev/kvm", O_RDWR), runs = mode[0] == 'r';
        struct kvm_run *run = NULL;
        check(kvm >= 0, "/dev/kvm");
        int file = runs ? make_vcpu(kvm, &run) : kvm;
        unsigned long request = runs ? KVM_RUN : KVM_GET_API_VERSION;
        double start = 0;
        // The first tenth warms up.
        for (long i = -times / 10; i < times; i++)
        {
            start = i == 0 ? cpu_time(CLOCK_THREAD_CPUTIME_ID) : start;
            check(ioctl(file, request, 0) == (runs ? 0 : KVM_API_VERSION) && (!runs || run->exit_reason == KVM_EXIT_IO), mode);
        }

        result = (cpu_time(CLOCK_THREAD_CPUTIME_ID) - start) / (double)times;
    }
    else
    {
        fprintf(stderr, "costs empty|open|call|run COUNT\n");
        return 2;
    }

    printf("%.0f\n", result);
    return 0;
}
