/*
 * The CPUID instruction of the client itself. Some clients do not ask KVM what the processor can do, but the processor: kvmtool looks for VMX or SVM, QEMU for where
 * XSAVE puts its components. Where the processor can be told to make CPUID fault (arch_prctl, Linux 4.12), such a client gets the host's own answers, but for
 * those that follow from who serves its virtual machines. Where it cannot, breakpoints.c lets the client's own CPUID instructions trap.
 */
#define _GNU_SOURCE
#include "akvam.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

enum { EXTENDED = 0x80000000, HYPERVISOR = 0x40000000, MAX_ENTRIES = 256, MAX_LEAVES = 64, MAX_INDEXES = 64 };

struct entry
{
    uint32_t leaf, index;
    bool indexed;
    uint32_t eax, ebx, ecx, edx;
};

static struct entry table[MAX_ENTRIES];
static int count;
static _Atomic int state;
static _Atomic int enabled_in; /* the process */
static int arrives_as;         /* SIGSEGV, or SIGTRAP of a breakpoint instruction */
enum { EMPTY, FILLING, FILLED };

static const unsigned char cpuid[] = {0x0F, 0xA2};

/* VMX in leaf 1, SVM in leaf 80000001. */
enum { VMX = 1 << 5, SVM = 1 << 2 };

static struct entry *add(uint32_t leaf, uint32_t index, bool indexed)
{
    if (count == MAX_ENTRIES)
    {
        return &table[MAX_ENTRIES - 1];
    }

    struct entry *e = &table[count++];
    *e = (struct entry){.leaf = leaf, .index = index, .indexed = indexed};
    __cpuid_count(leaf, index, e->eax, e->ebx, e->ecx, e->edx);
    return e;
}

/* All indexes of a leaf that has several; how they end is in SDM volume 2, CPUID. False for a leaf that has one. */
static bool add_indexed(uint32_t leaf)
{
    struct entry *e;
    uint64_t components = 0;
    switch (leaf)
    {
        case 0x4:
        case EXTENDED + 0x1D:
            for (uint32_t i = 0; i < MAX_INDEXES && (add(leaf, i, true)->eax & 0x1F) != 0; i++)
            {
            }

            return true;
        case 0xB:
        case 0x1F:
        case EXTENDED + 0x26:
            for (uint32_t i = 0; i < MAX_INDEXES && (add(leaf, i, true)->ecx & 0xFF00) != 0; i++)
            {
            }

            return true;
        case 0xD:
            for (uint32_t i = 0; i < MAX_INDEXES; i++)
            {
                /* Index 9 is always there, because we have an answer of our own for it. */
                if (i < 2 || (components >> i & 1) != 0 || i == 9)
                {
                    e = add(leaf, i, true);
                    components |= i == 0 ? e->eax | (uint64_t)e->edx << 32 : i == 1 ? e->ecx | (uint64_t)e->edx << 32 : 0;
                }
            }

            return true;
        case 0x7:
        case 0x14:
        case 0x17:
        case 0x18:
        case 0x1D:
        case 0x20:
        case 0x24:
            e = add(leaf, 0, true);
            for (uint32_t i = 1, last = e->eax; i <= last && i < MAX_INDEXES; i++)
            {
                add(leaf, i, true);
            }

            return true;
        case 0xF:
        case 0x10:
        case 0x12:
        case 0x1B:
        case EXTENDED + 0x20:
            for (uint32_t i = 0; i < 4; i++)
            {
                add(leaf, i, true);
            }

            return true;
        default:
            return false;
    }
}

static void add_range(uint32_t first)
{
    struct entry *e = add(first, 0, false);
    if (e->eax < first)
    {
        return;
    }

    for (uint32_t leaf = first + 1, last = e->eax; leaf <= last && leaf - first < MAX_LEAVES; leaf++)
    {
        if (!add_indexed(leaf))
        {
            add(leaf, 0, false);
        }
    }
}

static const struct entry *find(uint32_t leaf, uint32_t index)
{
    for (int i = 0; i < count; i++)
    {
        if (table[i].leaf == leaf && (!table[i].indexed || table[i].index == index))
        {
            return &table[i];
        }
    }

    return NULL;
}

/* What follows from who serves the virtual machines. */
static void change(void)
{
    /* Which of the two a client looks for depends on the vendor. */
    bool amd = table[0].ecx == signature_AMD_ecx || table[0].ecx == 0x656E6975;
    for (int i = 0; i < count; i++)
    {
        struct entry *e = &table[i];
        if (e->leaf == 1 && !amd)
        {
            e->ecx |= VMX;
        }
        else if (e->leaf == EXTENDED + 1 && amd)
        {
            e->ecx |= SVM;
        }
        else if (e->leaf == 0xD && e->index == 9 && arrives_as == SIGSEGV)
        {
            /* Where Akvam's processor has PKRU: see XsaveLayout. Breakpoints are not in libraries, so it is not offered then: see ClientCpuid. */
            e->eax = 8;
            e->ebx = 2688;
            e->ecx = e->edx = 0;
        }
    }
}

static void fill(void)
{
    int expected = EMPTY;
    if (!atomic_compare_exchange_strong(&state, &expected, FILLING))
    {
        while (atomic_load(&state) != FILLED)
        {
        }

        return;
    }

    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    add_range(0);
    if ((table[1].ecx & 1u << 31) != 0)
    {
        add_range(HYPERVISOR);
    }

    add_range(EXTENDED);
    change();
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    atomic_store(&state, FILLED);
}

/* A general-protection fault, or a breakpoint, at CPUID is answered and passed over. Called in a signal handler. */
bool akvam_cpuid_recover(int signal, const siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t ip = (uintptr_t)registers[REG_RIP];
    if (atomic_load(&enabled_in) == 0 || signal != arrives_as || info->si_code != SI_KERNEL || ip >> 47 != 0)
    {
        return false;
    }

    /* A fault shows the instruction, a trap what is behind its first byte. */
    ip -= signal == SIGTRAP ? 1 : 0;
    if (signal == SIGTRAP ? !akvam_is_breakpoint(ip) : memcmp((const void *)ip, cpuid, sizeof cpuid) != 0)
    {
        return false;
    }

    if (atomic_load(&state) != FILLED)
    {
        sigset_t all, before;
        sigfillset(&all);
        REAL(pthread_sigmask)(SIG_SETMASK, &all, &before);
        fill();
        REAL(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    }

    const struct entry *e = find((uint32_t)registers[REG_RAX], (uint32_t)registers[REG_RCX]);
    registers[REG_RAX] = e != NULL ? e->eax : 0;
    registers[REG_RBX] = e != NULL ? e->ebx : 0;
    registers[REG_RCX] = e != NULL ? e->ecx : 0;
    registers[REG_RDX] = e != NULL ? e->edx : 0;
    registers[REG_RIP] = (greg_t)(ip + sizeof cpuid);
    return true;
}

/* The signal that CPUID arrives as in this process and that must always come here; 0 without. In a child of vfork, whose handlers the parent would see, it does not count. */
int akvam_cpuid_signal(void)
{
    return atomic_load_explicit(&enabled_in, memory_order_relaxed) == getpid() ? arrives_as : 0;
}

void akvam_cpuid_set_fault(bool fault)
{
    static __thread bool off __attribute__((tls_model("initial-exec")));
    if (atomic_load(&enabled_in) != 0 && arrives_as == SIGSEGV && off == fault)
    {
        int error = errno;
        off = !fault;
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, fault ? 0 : 1);
        errno = error;
    }
}

static void in_child(void)
{
    if (atomic_load(&enabled_in) != 0)
    {
        atomic_store(&enabled_in, getpid());
        if (atomic_load(&state) == FILLING)
        {
            /* By a thread that the child does not have. */
            count = 0;
            atomic_store(&state, EMPTY);
        }
    }
}

static bool host_virtualizes(void)
{
    uint32_t eax, ebx, ecx = 0, edx, extended = 0;
    __cpuid(1, eax, ebx, ecx, edx);
    if (__get_cpuid_max(EXTENDED, NULL) > EXTENDED)
    {
        __cpuid(EXTENDED + 1, eax, ebx, extended, edx);
    }

    return (ecx & VMX) != 0 || (extended & SVM) != 0;
}

static void enable(int signal)
{
    arrives_as = signal;
    atomic_store(&enabled_in, getpid());
    pthread_atfork(NULL, NULL, in_child);
}

/* Threads and children of fork inherit it; a new program starts without, and then comes here itself. */
__attribute__((constructor)) static void start(void)
{
    /* Not on processors that cannot, or that a sandbox keeps from it. */
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) == 0)
    {
        if (akvam_pin(SIGSEGV))
        {
            enable(SIGSEGV);
        }
        else
        {
            syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
        }
    }
    else if (!host_virtualizes() && akvam_break_at_cpuid())
    {
        enable(SIGTRAP);
    }
}
