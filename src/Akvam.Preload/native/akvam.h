/*
 * Akvam's preload library: what its files share.
 *
 * The library stands between a dynamic program and libc. A descriptor of /dev/kvm is a memfd with an entry in the table of files.c; ioctl on it goes to the
 * C# dispatcher, which host.c starts at the first open. signals.c keeps the runtime's signal handlers and the client's apart. Everything else passes through.
 */
#ifndef AKVAM_H
#define AKVAM_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AKVAM_DEVICE "/dev/kvm"
#define HIDDEN __attribute__((visibility("hidden")))
#define EXPORT __attribute__((visibility("default")))

/* The function that would have been called without this library; looked up once. */
#define REAL(name)                                                                          \
    (__extension__({                                                                        \
        static __typeof__(&name) cached;                                                    \
        __typeof__(&name) function = __atomic_load_n(&cached, __ATOMIC_RELAXED);            \
        if (function == NULL)                                                               \
        {                                                                                   \
            function = (__typeof__(&name))akvam_real(#name);                                \
            __atomic_store_n(&cached, function, __ATOMIC_RELAXED);                          \
        }                                                                                   \
        function;                                                                           \
    }))

/* Bits of runner; a thread's number is an address. */
enum { AKVAM_RUNNING = 1, AKVAM_CANCELLED = 2 };

enum { AKVAM_FILE_SYSTEM = 0, AKVAM_FILE_VM = 1, AKVAM_FILE_VCPU = 2 };

/* How a signal handler ends KVM_RUN: layout of KickPoint in C#. */
struct akvam_kick
{
    int64_t kicked;      /* address of an int32_t to set to 1 */
    int64_t requests;    /* address of an int32_t to or with kick_bit */
    int32_t kick_bit;
    int32_t wake_file;   /* eventfd that ends the sleep of a halted processor */
};

struct akvam_file
{
    _Atomic int32_t references;     /* descriptors, and calls in progress */
    int32_t kind;
    int32_t ring_file;              /* memory that every vCPU of the VM shows as its ring of coalesced writes */
    int64_t managed;                /* handle of the object in C# */
    struct akvam_kick kick;
    pthread_mutex_t running;        /* one thread at a time is in KVM_RUN */
    _Atomic uintptr_t runner;       /* that thread and AKVAM_RUNNING, or 0 */
    _Atomic int32_t has_signal_mask;
    _Atomic uint64_t signal_mask;   /* KVM_SET_SIGNAL_MASK, in the kernel's format */
    struct akvam_file *next_free;
};

/* What C# calls; layout of NativeCalls. */
struct akvam_native_calls
{
    uint64_t (*copy)(void *to, const void *from, uint64_t size);
    int32_t (*reserve)(const char *name, int32_t flags, int64_t size, int64_t *mapping);
    int32_t (*publish)(int32_t descriptor, int32_t kind, int64_t managed, const struct akvam_kick *kick, int32_t ring_file);
    int32_t (*guard)(int32_t number, uint64_t start, uint64_t size);
    int32_t (*reopen)(int32_t descriptor);
    void (*abandon)(int32_t descriptor, int64_t mapping, int64_t size);
};

/* What C# provides; layout of ManagedCalls. A negative result is an errno. */
struct akvam_managed_calls
{
    int64_t (*open)(const struct akvam_native_calls *native, int32_t flags);
    int64_t (*ioctl)(int64_t file, uint32_t request, uint64_t argument);
    void (*close)(int64_t file);
};

#define AKVAM_LOANS 32

/* State of a thread that signal handlers look at, so it must not be allocated on first use. */
struct akvam_thread
{
    int32_t inside;                 /* depth of calls into the runtime: the client's handlers wait meanwhile */
    int32_t prepared;               /* the signals that the runtime needs are not blocked */
    int32_t runs_vcpus;             /* nor is SIGBUS, of guest memory whose file is shorter than its mapping */
    int32_t cancel_state;           /* the client's, while inside */
    int32_t cancelled;              /* it was cancelled in KVM_RUN */
    int32_t memory_fault, lent;     /* guest memory was not there; pages that are lent meanwhile */
    struct { uintptr_t page; void *aside; int32_t protection; } loans[AKVAM_LOANS];
    volatile uint64_t deferred;     /* signals that wait */
    const struct akvam_kick *volatile kick; /* of the vCPU that it runs */
};

extern HIDDEN __thread struct akvam_thread akvam_thread __attribute__((tls_model("initial-exec")));

HIDDEN void *akvam_real(const char *name);

/* host.c */
HIDDEN int akvam_start(void);                           /* 0, or an errno */
HIDDEN const struct akvam_managed_calls *akvam_managed(void);
HIDDEN bool akvam_called_by_runtime(const void *return_address);
HIDDEN bool akvam_runtime_started(void);
HIDDEN bool akvam_owns_process(void);                   /* false in children, whatever way they were made */
HIDDEN bool akvam_is_forked_child(void);

/* files.c */
HIDDEN struct akvam_file *akvam_acquire(int descriptor);
HIDDEN void akvam_release(struct akvam_file *file);
HIDDEN bool akvam_is_kvm(int descriptor);
HIDDEN struct akvam_file *akvam_forget(int descriptor); /* the caller closes the descriptor, then releases the file */
HIDDEN void akvam_share(int from, int to);
HIDDEN int akvam_highest_descriptor(void);
HIDDEN extern const struct akvam_native_calls akvam_native_calls;

/* cancel.c */
HIDDEN bool akvam_is_cancelled(pthread_t thread);
HIDDEN void akvam_take_cancellation(void);

/* signals.c */
HIDDEN void akvam_kick(const struct akvam_kick *target);
HIDDEN void akvam_enter(void);
HIDDEN bool akvam_enter_run(const struct akvam_kick *kick); /* false if a signal came before */
HIDDEN void akvam_leave(void);
HIDDEN int akvam_run_with_mask(struct akvam_file *file, sigset_t *before);
HIDDEN void akvam_restore_mask(const sigset_t *before);
HIDDEN bool akvam_pin(int signal);

/* cpuid.c */
HIDDEN bool akvam_cpuid_recover(int signal, const siginfo_t *info, void *context);
HIDDEN int akvam_cpuid_signal(void);
HIDDEN void akvam_cpuid_set_fault(bool fault); /* of this thread */

/* breakpoints.c */
HIDDEN bool akvam_break_at_cpuid(void);
HIDDEN bool akvam_is_breakpoint(uintptr_t address);

/* length.c */
HIDDEN size_t akvam_instruction_length(const uint8_t *code, size_t available);

/* memory.c */
HIDDEN int32_t akvam_guard(int32_t number, uint64_t start, uint64_t size);
HIDDEN bool akvam_memory_recover(int signal, const siginfo_t *info, const void *context);
HIDDEN bool akvam_return_memory(void);

/* attributes.c */
#define AKVAM_ATTRIBUTE_SIZE 4096
HIDDEN bool akvam_is_attribute(const char *path);
HIDDEN int akvam_open_attribute(const char *path, int flags); /* one that is */
HIDDEN bool akvam_shows_attribute(int descriptor);

/* copy.c */
HIDDEN uint64_t akvam_copy(void *to, const void *from, uint64_t size);
HIDDEN bool akvam_copy_recover(void *context);

#endif
