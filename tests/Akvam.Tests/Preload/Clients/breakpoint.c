/*
 * A small client that asks the processor itself before it opens /dev/kvm, and after, sees VMX or SVM; where CPUID cannot be made to fault, by breakpoints on its few
 * CPUID instructions. What they cannot show everybody (PKRU's place) is the host's then. SIGTRAP is its own all the same.
 */
#include "client.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>

struct answer { uint32_t eax, ebx, ecx, edx; };
static volatile int traps;

/* One CPUID instruction; and the bytes of another in the middle of an instruction, which must not become one. */
__attribute__((noinline)) static struct answer ask(uint32_t leaf, uint32_t index)
{
    struct answer a;
    uint32_t value;
    __asm__ volatile("cpuid" : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx) : "a"(leaf), "c"(index));
    __asm__ volatile("mov $0x1234A20F, %0" : "=r"(value));
    CHECK(value == 0x1234A20F);
    return a;
}

static void check_answers(void)
{
    struct answer vendor = ask(0, 0), extended = ask(0x80000000, 0), one = ask(1, 0);
    CHECK(vendor.eax >= 1 && extended.eax > 0x80000001);
    CHECK(vendor.ebx == signature_AMD_ebx ? (ask(0x80000001, 0).ecx & 1 << 2) != 0 : (one.ecx & 1 << 5) != 0);
}

static void on_trap(int signal)
{
    (void)signal;
    traps++;
}

static void check_trap(void)
{
    struct sigaction action = {.sa_handler = on_trap}, old, back;
    int before = traps;
    CHECK(sigaction(SIGTRAP, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    __asm__ volatile("int3");
    CHECK(traps == before + 1);
    check_answers();
    CHECK(traps == before + 1);
    CHECK(sigaction(SIGTRAP, &old, &back) == 0 && back.sa_handler == on_trap);
    sigset_t all, usual;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &usual) == 0);
    check_answers();
    CHECK(pthread_sigmask(SIG_SETMASK, &usual, NULL) == 0);
}

int main(void)
{
    int status;
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    check_answers();
    check_trap();
    pid_t child = fork();
    if (child == 0)
    {
        /* Its answers may be the host's. */
        ask(1, 0);
        _exit(7);
    }

    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    int kvm = open("/dev/kvm", O_RDWR);
    CHECK(kvm >= 0 && ioctl(kvm, KVM_GET_API_VERSION, 0) == 12);
    check_answers();
    check_trap();
    return 0;
}
