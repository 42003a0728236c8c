/*
 * Signals. Two owners share the process: the runtime needs SIGSEGV, SIGFPE and its own real-time signal; everything else stays the client's. Every handler that the
 * client installs is wrapped, for two reasons: a handled signal has to end KVM_RUN, and the client's code must not run in the middle of the runtime's. So a signal
 * that arrives inside is sent to the thread once more while it is blocked there, and is delivered as soon as the call has returned, as it would be after a system call.
 */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNALS 65

/* glibc keeps 32 and 33; the next is what the runtime interrupts its threads with, so programs get to see a range without it. */
#define RUNTIME_SIGNAL 34
#define FIRST_FREE_SIGNAL 36

HIDDEN __thread struct akvam_thread akvam_thread __attribute__((tls_model("initial-exec")));

/* What the client asked for, where the kernel has our handler instead. */
static struct sigaction client[SIGNALS];

/* The runtime's own handlers. */
static struct sigaction runtime[SIGNALS];
static _Atomic int owned[SIGNALS];
static atomic_flag table_lock = ATOMIC_FLAG_INIT;

static void on_signal(int signal, siginfo_t *info, void *context);

static bool is_runtimes(int signal)
{
    return signal == SIGSEGV || signal == SIGFPE || signal == RUNTIME_SIGNAL;
}

static uint64_t bit(int signal)
{
    return 1ull << (signal - 1);
}

/* The instruction that was interrupted caused it, and would cause it again. */
static bool is_synchronous(int signal, const siginfo_t *info)
{
    return info->si_code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP);
}

/* Handlers that stay ours whatever the client says; what it says is kept for call_client. */
static bool is_kept(int signal)
{
    return ((atomic_load(&owned[signal]) || signal == SIGBUS) && akvam_owns_process()) || signal == akvam_cpuid_signal();
}

void akvam_kick(const struct akvam_kick *target)
{
    if (target != NULL)
    {
        uint64_t one = 1;
        int error = errno;
        __atomic_store_n((int32_t *)(intptr_t)target->kicked, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_or((int32_t *)(intptr_t)target->requests, target->kick_bit, __ATOMIC_SEQ_CST);
        (void)!write(target->wake_file, &one, sizeof one);
        errno = error;
    }
}

static void defer(int signal, siginfo_t *info, ucontext_t *context)
{
    int error = errno;
    akvam_thread.deferred |= bit(signal);
    sigaddset(&context->uc_sigmask, signal);
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info) != 0)
    {
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
    }

    akvam_kick(akvam_thread.kick);
    errno = error;
}

static void take_default(int signal, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    REAL(sigaction)(signal, &action, NULL);
    if (!is_synchronous(signal, info))
    {
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
    }
}

static void call_client(int signal, siginfo_t *info, void *context)
{
    void (*handler)(int, siginfo_t *, void *) = __atomic_load_n(&client[signal].sa_sigaction, __ATOMIC_ACQUIRE);
    int flags = client[signal].sa_flags;
    bool ignored = (intptr_t)handler == (intptr_t)SIG_IGN;
    if ((intptr_t)handler == (intptr_t)SIG_DFL || (ignored && is_synchronous(signal, info)))
    {
        take_default(signal, info);
        return;
    }

    if (ignored)
    {
        return;
    }

    if ((flags & SA_RESETHAND) != 0)
    {
        client[signal].sa_handler = SIG_DFL;
        if (!is_kept(signal))
        {
            struct sigaction action = {.sa_handler = SIG_DFL};
            REAL(sigaction)(signal, &action, NULL);
        }
    }

    if ((flags & SA_NODEFER) != 0)
    {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signal);
        REAL(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
    }

    /* One that takes only the number ignores the rest. */
    handler(signal, info, context);
}

/* What the runtime finds as the handler before its own, and calls when a fault is none of its business. */
static void chain(int signal, siginfo_t *info, void *context)
{
    if (signal == RUNTIME_SIGNAL)
    {
        return;
    }

    if (akvam_thread.inside != 0 && !is_synchronous(signal, info) && !is_runtimes(signal))
    {
        defer(signal, info, context);
        return;
    }

    akvam_cpuid_set_fault(true);
    call_client(signal, info, context);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    if ((signal == SIGSEGV || signal == SIGBUS) && (akvam_copy_recover(context) || akvam_memory_recover(signal, info, context)))
    {
        return;
    }

    if (akvam_cpuid_recover(signal, info, context))
    {
        return;
    }

    if (atomic_load_explicit(&owned[signal], memory_order_acquire))
    {
        /*
         * The runtime executes CPUID in its handler, having left the alternate stack for the interrupted one: a second SIGSEGV would overwrite the first. If the fault
         * was one of C#, the handler does not come back, and the thread goes on with the host's own CPUID, which is as good for the runtime.
         */
        akvam_cpuid_set_fault(signal != SIGSEGV);
        runtime[signal].sa_sigaction(signal, info, context);
        akvam_cpuid_set_fault(true);
        return;
    }

    chain(signal, info, context);
}

static void lock_table(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    REAL(pthread_sigmask)(SIG_SETMASK, &all, before);
    while (atomic_flag_test_and_set_explicit(&table_lock, memory_order_acquire))
    {
    }
}

static void unlock_table(const sigset_t *before)
{
    atomic_flag_clear_explicit(&table_lock, memory_order_release);
    REAL(pthread_sigmask)(SIG_SETMASK, before, NULL);
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

static int client_sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
    if (signal < 1 || signal >= SIGNALS)
    {
        errno = EINVAL;
        return -1;
    }

    struct sigaction current;
    if (REAL(sigaction)(signal, NULL, &current) != 0)
    {
        return -1;
    }

    if (is_ours(&current))
    {
        current = client[signal];
    }

    int result = 0;
    if (new != NULL)
    {
        bool has_handler = (new->sa_flags & SA_SIGINFO) != 0 || (new->sa_handler != SIG_DFL && new->sa_handler != SIG_IGN);
        struct sigaction wrapped = *new;
        if (is_kept(signal))
        {
            client[signal] = *new;
        }
        else if (!has_handler)
        {
            /* The table stays: it may be a child of vfork that says this, and the table its parent's. */
            result = REAL(sigaction)(signal, new, NULL);
        }
        else
        {
            client[signal] = *new;
            wrapped.sa_sigaction = on_signal;
            wrapped.sa_flags = (wrapped.sa_flags | SA_SIGINFO) & ~(SA_NODEFER | (int)SA_RESETHAND);
            sigdelset(&wrapped.sa_mask, SIGSEGV);
            sigdelset(&wrapped.sa_mask, SIGBUS);
            if (akvam_cpuid_signal() != 0)
            {
                sigdelset(&wrapped.sa_mask, akvam_cpuid_signal());
            }

            result = REAL(sigaction)(signal, &wrapped, NULL);
        }
    }

    if (result == 0 && old != NULL)
    {
        *old = current;
    }

    return result;
}

/* The runtime gets the signals that it cannot work without, and is told that it got the others. */
static int runtime_sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
    struct sigaction current;
    if (new == NULL || !is_runtimes(signal))
    {
        return client_sigaction(signal, NULL, old);
    }

    if (client_sigaction(signal, NULL, &current) != 0)
    {
        return -1;
    }

    struct sigaction wrapped = *new;
    client[signal] = current;
    runtime[signal] = *new;
    wrapped.sa_sigaction = on_signal;
    wrapped.sa_flags |= SA_SIGINFO;
    atomic_store_explicit(&owned[signal], 1, memory_order_release);
    if (old != NULL)
    {
        memset(old, 0, sizeof *old);
        old->sa_sigaction = chain;
        old->sa_flags = SA_SIGINFO;
    }

    return REAL(sigaction)(signal, &wrapped, NULL);
}

static int any_sigaction(int signal, const struct sigaction *new, struct sigaction *old, const void *caller)
{
    sigset_t before;
    lock_table(&before);
    int result = akvam_called_by_runtime(caller) ? runtime_sigaction(signal, new, old) : client_sigaction(signal, new, old);
    int error = errno;
    unlock_table(&before);
    errno = error;
    return result;
}

EXPORT int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old)
{
    return any_sigaction(signal, new, old, __builtin_return_address(0));
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction new = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    return any_sigaction(number, &new, &old, __builtin_return_address(0)) == 0 ? old.sa_handler : SIG_ERR;
}

/* From now on the signal comes here, whatever the client says, and this thread does not block it. SIGBUS is left blocked where it is: only threads in KVM_RUN need it. */
bool akvam_pin(int signal)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, current;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, signal);
    lock_table(&before);
    bool done = REAL(sigaction)(signal, NULL, &current) == 0;
    if (done && !is_ours(&current))
    {
        client[signal] = current;
    }

    done = done && REAL(sigaction)(signal, &action, NULL) == 0;
    unlock_table(&before);
    return done && (signal == SIGBUS || REAL(pthread_sigmask)(SIG_UNBLOCK, &set, NULL) == 0);
}

/* Blocking the runtime's signals would stall its collector, or turn a fault that it handles into the end of the process. */
static const sigset_t *allowed(int how, const sigset_t *set, sigset_t *copy)
{
    if (set == NULL || how == SIG_UNBLOCK)
    {
        return set;
    }

    *copy = *set;
    if (akvam_cpuid_signal() != 0)
    {
        sigdelset(copy, akvam_cpuid_signal());
    }

    if (akvam_thread.runs_vcpus)
    {
        sigdelset(copy, SIGBUS);
    }

    if (!akvam_runtime_started())
    {
        return copy;
    }

    sigdelset(copy, SIGSEGV);
    sigdelset(copy, SIGFPE);
    sigdelset(copy, RUNTIME_SIGNAL);
    return copy;
}

EXPORT int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    sigset_t copy;
    return REAL(pthread_sigmask)(how, allowed(how, set, &copy), old);
}

EXPORT int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
    sigset_t copy;
    return REAL(sigprocmask)(how, allowed(how, set, &copy), old);
}

/* The runtime's threads are not the client's: none of its signals goes to one. */
EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *), void *restrict argument)
{
    if (!akvam_called_by_runtime(__builtin_return_address(0)))
    {
        return REAL(pthread_create)(thread, attributes, start, argument);
    }

    sigset_t all, before, copy;
    sigfillset(&all);
    REAL(pthread_sigmask)(SIG_SETMASK, allowed(SIG_SETMASK, &all, &copy), &before);
    int result = REAL(pthread_create)(thread, attributes, start, argument);
    REAL(pthread_sigmask)(SIG_SETMASK, &before, NULL);
    return result;
}

/* SIGRTMIN. */
EXPORT int __libc_current_sigrtmin(void)
{
    return akvam_called_by_runtime(__builtin_return_address(0)) ? RUNTIME_SIGNAL : FIRST_FREE_SIGNAL;
}

/* Before a call into the runtime: from here to akvam_leave the client's handlers wait. */
void akvam_enter(void)
{
    struct akvam_thread *thread = &akvam_thread;
    if (!thread->prepared)
    {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        sigaddset(&set, SIGFPE);
        sigaddset(&set, RUNTIME_SIGNAL);
        REAL(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
        thread->prepared = 1;
    }

    if (thread->inside++ == 0)
    {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &thread->cancel_state);
    }

    atomic_signal_fence(memory_order_seq_cst);
}

/* After akvam_enter: from here on a signal ends the run of the vCPU that target belongs to. */
bool akvam_enter_run(const struct akvam_kick *target)
{
    if (!akvam_thread.runs_vcpus)
    {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGBUS);
        REAL(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
        akvam_thread.runs_vcpus = 1;
    }

    akvam_thread.kick = target;
    atomic_signal_fence(memory_order_seq_cst);
    return akvam_thread.deferred == 0;
}

void akvam_leave(void)
{
    struct akvam_thread *thread = &akvam_thread;
    atomic_signal_fence(memory_order_seq_cst);
    if (--thread->inside != 0)
    {
        return;
    }

    thread->kick = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    pthread_setcancelstate(thread->cancel_state, NULL);
    akvam_take_cancellation();
    if (thread->deferred != 0)
    {
        int error = errno;
        sigset_t set;
        sigemptyset(&set);
        for (int signal = 1; signal < SIGNALS; signal++)
        {
            if ((thread->deferred & bit(signal)) != 0)
            {
                sigaddset(&set, signal);
            }
        }

        thread->deferred = 0;
        REAL(pthread_sigmask)(SIG_UNBLOCK, &set, NULL);
        errno = error;
    }
}

/* True: the signal comes to our handler, which does for one that the client has no handler for what the kernel would have done. */
static bool stand_in(int signal)
{
    sigset_t before;
    struct sigaction current;
    lock_table(&before);
    bool done = REAL(sigaction)(signal, NULL, &current) == 0;
    if (done && !is_ours(&current))
    {
        done = current.sa_handler == SIG_DFL && (current.sa_flags & SA_SIGINFO) == 0;
        if (done)
        {
            struct sigaction ours = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
            client[signal] = current;
            done = REAL(sigaction)(signal, &ours, NULL) == 0;
        }
    }

    unlock_table(&before);
    return done;
}

/*
 * KVM_SET_SIGNAL_MASK: the mask that holds during KVM_RUN. A signal that it lets through ends the run, and if the thread blocks it otherwise, is pending afterwards: it
 * is deferred as every other, and akvam_restore_mask puts the old mask back before akvam_leave looks. One without a handler of the client's gets ours, because it would
 * act at once otherwise; ignored ones stay blocked. One that is pending already ends the run before it starts.
 */
int akvam_run_with_mask(struct akvam_file *file, sigset_t *before)
{
    uint64_t mask = atomic_load(&file->signal_mask);
    sigset_t set, pending;
    int ends = 0;
    REAL(pthread_sigmask)(SIG_SETMASK, NULL, before);
    set = *before;
    sigpending(&pending);
    for (int signal = 1; signal < SIGNALS; signal++)
    {
        if (is_runtimes(signal) || signal == SIGBUS || signal == SIGKILL || signal == SIGSTOP)
        {
            continue;
        }

        if ((mask & bit(signal)) != 0)
        {
            sigaddset(&set, signal);
        }
        else if (sigismember(before, signal) == 1)
        {
            ends |= sigismember(&pending, signal) == 1;
            if (stand_in(signal))
            {
                sigdelset(&set, signal);
            }
        }
    }

    if (ends)
    {
        return EINTR;
    }

    REAL(pthread_sigmask)(SIG_SETMASK, &set, NULL);
    return 0;
}

void akvam_restore_mask(const sigset_t *before)
{
    for (int signal = 1; signal < SIGNALS; signal++)
    {
        if (sigismember(before, signal) == 1)
        {
            akvam_thread.deferred &= ~bit(signal);
        }
    }

    REAL(pthread_sigmask)(SIG_SETMASK, before, NULL);
}
