/*
 * A client that asks the processor itself sees VMX or SVM, and PKRU where Akvam's processor has it; everything else is the host's. Its handlers of SIGSEGV are its own
 * all the same. Where CPUID cannot be made to fault there is nothing to see, and nothing of it may be offered: no PKU.
 */
#include "client.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <setjmp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static sigjmp_buf escape;
static volatile uintptr_t fault_address;

struct answer { uint32_t eax, ebx, ecx, edx; };

static struct answer ask(uint32_t leaf, uint32_t index)
{
    struct answer a;
    __cpuid_count(leaf, index, a.eax, a.ebx, a.ecx, a.edx);
    return a;
}

static void check_answers(void)
{
    struct answer vendor = ask(0, 0), changed[2];
    uint32_t leaf = vendor.ebx == signature_AMD_ebx ? 0x80000001 : 1, bit = leaf == 1 ? 1 << 5 : 1 << 2;
    changed[0] = ask(leaf, 0);
    CHECK((changed[0].ecx & bit) != 0);
    struct answer pkru = ask(0xD, 9), avx = ask(0xD, 2), brand = ask(0x80000002, 0), features = ask(7, 0);
    CHECK(pkru.eax == 8 && pkru.ebx == 2688);

    /* The host's own. Bits that differ from one processor of the host to the other are left out. */
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) == 0);
    changed[1] = ask(leaf, 0);
    struct answer host_vendor = ask(0, 0), host_avx = ask(0xD, 2), host_brand = ask(0x80000002, 0), host_features = ask(7, 0);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) == 0);
    CHECK(changed[0].ecx == (changed[1].ecx | bit) && changed[0].eax == changed[1].eax && changed[0].edx == changed[1].edx);
    CHECK(memcmp(&vendor, &host_vendor, sizeof vendor) == 0 && memcmp(&avx, &host_avx, sizeof avx) == 0);
    CHECK(memcmp(&brand, &host_brand, sizeof brand) == 0 && memcmp(&features, &host_features, sizeof features) == 0);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(escape, 1);
}

/* A fault of the client's own reaches the client's own handler, before and after KVM has been opened. */
static void check_handler(void)
{
    struct sigaction mine = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old, back;
    sigfillset(&mine.sa_mask);
    CHECK(sigaction(SIGSEGV, &mine, &old) == 0 && old.sa_handler == SIG_DFL);
    fault_address = 0;
    if (sigsetjmp(escape, 1) == 0)
    {
        *(volatile int *)0x1230 = 1;
    }

    CHECK(fault_address == 0x1230);
    check_answers();
    CHECK(sigaction(SIGSEGV, &old, &back) == 0 && back.sa_sigaction == on_fault);
}

static void *with_all_blocked(void *unused)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    check_answers();
    return unused;
}

static void on_user_signal(int signal)
{
    (void)signal;
    check_answers();
}

static void check_everywhere(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, with_all_blocked, NULL) == 0 && pthread_join(thread, NULL) == 0);
    struct sigaction user = {.sa_handler = on_user_signal};
    sigfillset(&user.sa_mask);
    CHECK(sigaction(SIGUSR1, &user, NULL) == 0 && raise(SIGUSR1) == 0);

    int status;
    pid_t child = fork();
    if (child == 0)
    {
        check_answers();
        _exit(0);
    }

    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);

    /* One that does nothing about it dies of it. */
    child = fork();
    if (child == 0)
    {
        *(volatile int *)0x1230 = 1;
        _exit(0);
    }

    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static bool offers_pku(int kvm)
{
    struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[256]; } cpuid = {.head.nent = 256};
    CHECK(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0);
    bool leaf7 = false, component = false;
    for (uint32_t i = 0; i < cpuid.head.nent; i++)
    {
        struct kvm_cpuid_entry2 *e = &cpuid.entries[i];
        leaf7 |= e->function == 7 && e->index == 0 && (e->ecx & 1 << 3) != 0;
        component |= e->function == 0xD && e->index == 0 && (e->eax & 1 << 9) != 0;
    }

    CHECK(leaf7 == component);
    return leaf7;
}

int main(void)
{
    bool faults = syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0) == 0;
    if (faults)
    {
        check_answers();
        check_handler();
        check_everywhere();
    }

    int kvm = open("/dev/kvm", O_RDWR);
    CHECK(kvm >= 0);
    struct answer pkru = ask(0xD, 9);
    CHECK(offers_pku(kvm) == (pkru.eax == 8 && pkru.ebx == 2688));
    if (faults)
    {
        check_answers();
        check_handler();
        check_everywhere();
    }

    return 0;
}
