/*
 * pthread_cancel. A thread cannot end in the middle of the runtime, so it is not cancelled there; KVM_RUN, which may take for ever, ends as it does with a signal, and
 * the thread ends when it is back in the client. For the C library ioctl is no cancellation point: that takes an asynchronous cancel type, as with the kernel's KVM.
 */
#define _GNU_SOURCE
#include "akvam.h"

/* Threads that were cancelled lately, for one that is on its way into KVM_RUN. A number used again costs its new owner one EINTR. */
#define REMEMBERED 64

static _Atomic pthread_t cancelled[REMEMBERED];
static _Atomic unsigned int next;

bool akvam_is_cancelled(pthread_t thread)
{
    if (atomic_load_explicit(&next, memory_order_relaxed) == 0)
    {
        return false;
    }

    for (int i = 0; i < REMEMBERED; i++)
    {
        pthread_t expected = thread;
        if (atomic_compare_exchange_strong(&cancelled[i], &expected, 0))
        {
            return true;
        }
    }

    return false;
}

/* Without the C library knowing: whoever is in KVM_RUN cancels itself when it is out again. */
static bool cancel_runner(pthread_t thread)
{
    bool done = false;
    int highest = akvam_highest_descriptor();
    for (int i = 0; i <= highest && !done; i++)
    {
        struct akvam_file *file = akvam_is_kvm(i) ? akvam_acquire(i) : NULL;
        uintptr_t runner = (uintptr_t)thread | AKVAM_RUNNING;
        if (file != NULL && file->kind == AKVAM_FILE_VCPU && atomic_compare_exchange_strong(&file->runner, &runner, runner | AKVAM_CANCELLED))
        {
            akvam_kick(&file->kick);
            done = true;
        }

        akvam_release(file);
    }

    return done;
}

void akvam_take_cancellation(void)
{
    if (akvam_thread.cancelled)
    {
        akvam_thread.cancelled = 0;
        REAL(pthread_cancel)(pthread_self());
    }
}

EXPORT int pthread_cancel(pthread_t thread)
{
    if (!akvam_runtime_started())
    {
        return REAL(pthread_cancel)(thread);
    }

    cancelled[atomic_fetch_add(&next, 1) % REMEMBERED] = thread;
    return cancel_runner(thread) ? 0 : REAL(pthread_cancel)(thread);
}
