/*
 * Guest memory that is not there. A client may unmap or protect what a slot shows, or cut short the file that it maps; the kernel's KVM finds out when the guest touches
 * it, and KVM_RUN fails with EFAULT. Here the runtime, or code made by it, touches it and gets SIGSEGV or SIGBUS, in the middle of an instruction that has to end somehow.
 * So the page is lent: made accessible until the call has ended, which it is told to do at once, and given back before the client sees EFAULT. A page of a file that
 * cannot be made accessible is put aside meanwhile, and another lies in its place. What the instruction wrote to such a page, or one that did not exist, is gone.
 */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096ul
#define MAX_RANGES 65536
#define WRITE_FAULT 2

enum { UNMAPPED = -1 };

/* Memory of slots; a range without an end is unused. */
static struct { _Atomic uintptr_t start, end; } ranges[MAX_RANGES];
static _Atomic int range_count;
static int first_free;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Enters a range, or removes one (size 0) by its number. The result is the number, or an errno. */
int32_t akvam_guard(int32_t number, uint64_t start, uint64_t size)
{
    pthread_mutex_lock(&lock);
    if (size == 0)
    {
        atomic_store(&ranges[number].end, 0);
        first_free = number < first_free ? number : first_free;
    }
    else
    {
        number = first_free;
        while (number < MAX_RANGES && atomic_load(&ranges[number].end) != 0)
        {
            number++;
        }

        first_free = number;
        if (number < MAX_RANGES)
        {
            atomic_store(&ranges[number].start, start);
            atomic_store(&ranges[number].end, start + size);
            if (number >= atomic_load(&range_count))
            {
                atomic_store(&range_count, number + 1);
            }
        }
    }

    pthread_mutex_unlock(&lock);
    return number < MAX_RANGES ? number : -ENOMEM;
}

static bool is_guest_memory(uintptr_t address)
{
    int count = atomic_load(&range_count);
    for (int i = 0; i < count; i++)
    {
        if (address >= atomic_load(&ranges[i].start) && address < atomic_load(&ranges[i].end))
        {
            return true;
        }
    }

    return false;
}

static bool is_readable(uintptr_t page)
{
    char byte;
    struct iovec to = {&byte, 1}, from = {(void *)page, 1};
    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* Moves a page to an address of its own; NULL if there is none. */
static void *put_aside(uintptr_t page)
{
    void *place = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED || mremap((void *)page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED)
    {
        return NULL;
    }

    return place;
}

/* Makes the page accessible, and notes what it was, unless it is lent already. */
static bool borrow(uintptr_t page, bool is_denied, bool is_cut, bool writes)
{
    struct akvam_thread *thread = &akvam_thread;
    int32_t before = !is_denied ? UNMAPPED : writes && is_readable(page) ? PROT_READ : PROT_NONE;
    void *aside = NULL;
    if (!is_denied || mprotect((void *)page, PAGE, writes ? PROT_READ | PROT_WRITE : PROT_READ) != 0)
    {
        if ((is_denied || is_cut) && (aside = put_aside(page)) == NULL)
        {
            return false;
        }

        if (mmap((void *)page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        {
            return false;
        }
    }

    int i = 0;
    while (i < thread->lent && thread->loans[i].page != page)
    {
        i++;
    }

    if (i < thread->lent)
    {
        thread->loans[i].aside = aside;
    }
    else if (i < AKVAM_LOANS)
    {
        thread->loans[i].page = page;
        thread->loans[i].aside = aside;
        thread->loans[i].protection = before;
        thread->lent++;
    }

    return true;
}

bool akvam_memory_recover(int signal, const siginfo_t *info, const void *context)
{
    struct akvam_thread *thread = &akvam_thread;
    uintptr_t address = (uintptr_t)info->si_addr, page = address & ~(PAGE - 1);
    bool is_cut = signal == SIGBUS && info->si_code == BUS_ADRERR, is_denied = signal == SIGSEGV && info->si_code == SEGV_ACCERR;
    bool is_gone = signal == SIGSEGV && info->si_code == SEGV_MAPERR;
    if (thread->inside == 0 || (!is_cut && !is_denied && !is_gone) || !is_guest_memory(address))
    {
        return false;
    }

    int error = errno;
    bool writes = (((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & WRITE_FAULT) != 0;
    bool recovered = borrow(page, is_denied, is_cut, writes);
    thread->memory_fault = 1;
    akvam_kick(thread->kick);
    errno = error;
    return recovered;
}

/* True: the call touched memory that was not there. */
bool akvam_return_memory(void)
{
    struct akvam_thread *thread = &akvam_thread;
    if (!thread->memory_fault)
    {
        return false;
    }

    for (int i = 0; i < thread->lent; i++)
    {
        void *page = (void *)thread->loans[i].page, *aside = thread->loans[i].aside;
        if (aside != NULL)
        {
            (void)!mremap(aside, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page);
        }

        if (thread->loans[i].protection != UNMAPPED)
        {
            mprotect(page, PAGE, thread->loans[i].protection);
        }
        else if (aside == NULL)
        {
            munmap(page, PAGE);
        }
    }

    thread->lent = 0;
    thread->memory_fault = 0;
    return true;
}
