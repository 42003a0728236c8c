/*
 * A client that asks the processor itself before it opens /dev/kvm, and after, sees VMX or SVM at each of its CPUID instructions, in every thread and in children; where
 * CPUID cannot be made to fault, by breakpoints in their place. SIGTRAP is its own all the same, and so are the bytes of its code that merely look like CPUID.
 */
#include "client.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/syscall.h>

struct answer { uint32_t eax, ebx, ecx, edx; };
static volatile int traps;

/* One CPUID instruction each, behind code of many kinds; and the bytes of another in the middle of an instruction, which must not become one. */
#define DEFINE_ASK(name, before)                                                                                                \
    __attribute__((noinline)) static struct answer name(uint32_t leaf, uint32_t index)                                          \
    {                                                                                                                           \
        struct answer a;                                                                                                        \
        uint32_t value;                                                                                                         \
        __asm__ volatile(before : : : "rdx", "xmm0", "memory");                                                                 \
        __asm__ volatile("mov $0x1234A20F, %0" : "=r"(value));                                                                  \
        CHECK(value == 0x1234A20F);                                                                                             \
        __asm__ volatile("cpuid" : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx) : "a"(leaf), "c"(index));                 \
        return a;                                                                                                               \
    }

DEFINE_ASK(ask, "")
DEFINE_ASK(ask2, "movabs $0xA20FA20FA20FA20F, %%rdx; nopw 0xA20F(%%rax,%%rax); jmp 1f; cmpl $0xA20F, 0xA20F(%%rsp,%%rdx,8); 1:")
DEFINE_ASK(ask3, "pshufd $0x0F, %%xmm0, %%xmm0; palignr $0xA2, %%xmm0, %%xmm0; jmp 1f; vpblendd $1, 0xA20F(%%rdx), %%ymm0, %%ymm0; 1:")
DEFINE_ASK(ask4, "xor %%edx, %%edx; testb $0x0F, %%dl; testw $0xA20F, %%dx; lock; orl $0, (%%rsp)")
DEFINE_ASK(ask5, "jmp 1f; .byte 0x62, 0xF1, 0x7C, 0x48, 0x28, 0x42, 0x0F; 1: mov $0xA2, %%dl")
DEFINE_ASK(ask6, "")

/* Nothing says where this begins, so that it is the host's, but where CPUID faults. */
extern uint32_t unsure(void);
__asm__(".text; unsure: push %rbx; xor %eax, %eax; cpuid; pop %rbx; ret");

/* The bytes of CPUID as data, behind a byte that would be the first of a longer instruction. */
__asm__(".text; constant: .byte 0xB8, 0x0F, 0xA2, 0x0F, 0xA2");
extern const unsigned char constant[5];

static void check_answer(struct answer (*which)(uint32_t, uint32_t))
{
    struct answer vendor = which(0, 0), extended = which(0x80000000, 0), one = which(1, 0);
    CHECK(vendor.eax >= 1 && extended.eax > 0x80000001);
    CHECK(vendor.ebx == signature_AMD_ebx ? (which(0x80000001, 0).ecx & 1 << 2) != 0 : (one.ecx & 1 << 5) != 0);
}

static void check_answers(void)
{
    check_answer(ask);
    check_answer(ask2);
    check_answer(ask3);
    check_answer(ask4);
    check_answer(ask5);
    check_answer(ask6);
    CHECK(unsure() >= 1);
    CHECK(memcmp(constant, "\xB8\x0F\xA2\x0F\xA2", sizeof constant) == 0);
}

static void *check_in_thread(void *unused)
{
    check_answers();
    return unused;
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
        check_answers();
        check_trap();
        _exit(7);
    }

    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, check_in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    int kvm = open("/dev/kvm", O_RDWR);
    CHECK(kvm >= 0 && ioctl(kvm, KVM_GET_API_VERSION, 0) == 12);
    check_answers();
    check_trap();
    return 0;
}
