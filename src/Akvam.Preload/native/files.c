/* Which descriptors are KVM's. Each is a memfd, so that mmap, fstat and poll need no help; the table says which object in C# it stands for. */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The most that a process can have by default limits; only pages of the table that are used cost memory. */
#define MAX_DESCRIPTORS (1 << 20)

static _Atomic(struct akvam_file *) files[MAX_DESCRIPTORS];
static _Atomic int highest = -1;

/* Files are never given back to the allocator: a reader that was too late finds a file with no references, or another KVM file. */
static struct akvam_file *free_files;
static pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;

static bool in_table(int descriptor)
{
    return descriptor >= 0 && descriptor < MAX_DESCRIPTORS;
}

bool akvam_is_kvm(int descriptor)
{
    return in_table(descriptor) && atomic_load_explicit(&files[descriptor], memory_order_relaxed) != NULL;
}

int akvam_highest_descriptor(void)
{
    return atomic_load(&highest);
}

struct akvam_file *akvam_acquire(int descriptor)
{
    while (in_table(descriptor))
    {
        struct akvam_file *file = atomic_load_explicit(&files[descriptor], memory_order_acquire);
        if (file == NULL)
        {
            break;
        }

        int32_t references = atomic_load_explicit(&file->references, memory_order_relaxed);
        if (references == 0 || !atomic_compare_exchange_weak(&file->references, &references, references + 1))
        {
            continue;
        }

        if (atomic_load_explicit(&files[descriptor], memory_order_acquire) == file)
        {
            return file;
        }

        akvam_release(file);
    }

    return NULL;
}

void akvam_release(struct akvam_file *file)
{
    if (file == NULL || atomic_fetch_sub(&file->references, 1) != 1)
    {
        return;
    }

    akvam_enter();
    akvam_managed()->close(file->managed);
    akvam_leave();
    pthread_mutex_lock(&free_lock);
    file->next_free = free_files;
    free_files = file;
    pthread_mutex_unlock(&free_lock);
}

static struct akvam_file *new_file(void)
{
    pthread_mutex_lock(&free_lock);
    struct akvam_file *file = free_files;
    if (file != NULL)
    {
        free_files = file->next_free;
    }

    pthread_mutex_unlock(&free_lock);
    if (file == NULL)
    {
        file = calloc(1, sizeof *file);
        if (file != NULL)
        {
            pthread_mutex_init(&file->running, NULL);
        }
    }

    return file;
}

/* Enters a file whose reference the caller gives away; what the descriptor stood for before is gone already. */
static void enter(int descriptor, struct akvam_file *file)
{
    akvam_release(atomic_exchange(&files[descriptor], file));
    int old = atomic_load(&highest);
    while (old < descriptor && !atomic_compare_exchange_weak(&highest, &old, descriptor))
    {
    }
}

struct akvam_file *akvam_forget(int descriptor)
{
    return in_table(descriptor) ? atomic_exchange(&files[descriptor], NULL) : NULL;
}

void akvam_share(int from, int to)
{
    if (from == to)
    {
        return;
    }

    struct akvam_file *file = akvam_acquire(from);
    if (file != NULL && in_table(to))
    {
        enter(to, file);
    }
    else
    {
        akvam_release(file);
        akvam_release(akvam_forget(to));
    }
}

/* A memfd, and with a size a mapping of it for the C# side. The size is sealed: a client that changed it would take the run page away from under the vCPU. */
static int32_t reserve(const char *name, int32_t flags, int64_t size, int64_t *mapping)
{
    int descriptor = memfd_create(name, MFD_ALLOW_SEALING | ((flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0));
    if (descriptor < 0)
    {
        return -errno;
    }

    int error = 0;
    void *address = NULL;
    if (!in_table(descriptor))
    {
        error = EMFILE;
    }
    else if (size != 0)
    {
        if (ftruncate(descriptor, size) != 0)
        {
            error = errno;
        }
        else
        {
            address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
            error = address == MAP_FAILED ? errno : 0;
        }
    }

    if (error == 0 && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    {
        error = errno;
    }

    if (error != 0)
    {
        REAL(close)(descriptor);
        return -error;
    }

    *mapping = (int64_t)(intptr_t)address;
    return descriptor;
}

static int32_t publish(int32_t descriptor, int32_t kind, int64_t managed, const struct akvam_kick *kick, int32_t ring_file)
{
    struct akvam_file *file = new_file();
    if (file == NULL)
    {
        return -ENOMEM;
    }

    file->kind = kind;
    file->managed = managed;
    file->ring_file = ring_file;
    file->kick = kick != NULL ? *kick : (struct akvam_kick){0};
    file->has_signal_mask = 0;
    atomic_store(&file->references, 1);
    enter(descriptor, file);
    return 0;
}

static int32_t reopen(int32_t descriptor)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int result = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    return result >= 0 ? result : -errno;
}

static void abandon(int32_t descriptor, int64_t mapping, int64_t size)
{
    if (descriptor >= 0)
    {
        REAL(close)(descriptor);
    }

    if (mapping != 0)
    {
        munmap((void *)(intptr_t)mapping, (size_t)size);
    }
}

const struct akvam_native_calls akvam_native_calls = {akvam_copy, reserve, publish, akvam_guard, reopen, abandon};
