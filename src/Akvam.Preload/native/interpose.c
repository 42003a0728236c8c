/* The functions of libc that a KVM client reaches KVM through. Each does what libc's does, except where a KVM descriptor or a KVM file's name is in it. */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_device(int flags)
{
    int error = akvam_start();
    if (error != 0)
    {
        errno = error;
        return -1;
    }

    akvam_enter();
    int64_t descriptor = akvam_managed()->open(&akvam_native_calls, flags);
    akvam_leave();
    if (descriptor < 0)
    {
        errno = (int)-descriptor;
        return -1;
    }

    return (int)descriptor;
}

/* True if the path is served here; *descriptor is then the answer. */
static bool open_special(const char *path, int flags, int *descriptor)
{
    if (path == NULL || path[0] != '/')
    {
        return false;
    }

    if (strcmp(path, AKVAM_DEVICE) == 0)
    {
        *descriptor = open_device(flags);
        return true;
    }

    if (akvam_is_attribute(path))
    {
        *descriptor = akvam_open_attribute(path, flags);
        return true;
    }

    return false;
}

static mode_t mode_argument(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                                   \
    EXPORT int name(const char *path, int flags, ...)                                       \
    {                                                                                       \
        va_list arguments;                                                                  \
        va_start(arguments, flags);                                                         \
        mode_t mode = mode_argument(flags, arguments);                                      \
        va_end(arguments);                                                                  \
        int descriptor;                                                                     \
        return open_special(path, flags, &descriptor) ? descriptor : REAL(name)(path, flags, mode); \
    }

#define DEFINE_OPENAT(name)                                                                 \
    EXPORT int name(int folder, const char *path, int flags, ...)                           \
    {                                                                                       \
        va_list arguments;                                                                  \
        va_start(arguments, flags);                                                         \
        mode_t mode = mode_argument(flags, arguments);                                      \
        va_end(arguments);                                                                  \
        int descriptor;                                                                     \
        return open_special(path, flags, &descriptor) ? descriptor : REAL(name)(folder, path, flags, mode); \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* What the fortified headers call. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

#define DEFINE_OPEN_2(name)                                                                 \
    EXPORT int name(const char *path, int flags)                                            \
    {                                                                                       \
        int descriptor;                                                                     \
        return open_special(path, flags, &descriptor) ? descriptor : REAL(name)(path, flags); \
    }

#define DEFINE_OPENAT_2(name)                                                               \
    EXPORT int name(int folder, const char *path, int flags)                                \
    {                                                                                       \
        int descriptor;                                                                     \
        return open_special(path, flags, &descriptor) ? descriptor : REAL(name)(folder, path, flags); \
    }

DEFINE_OPEN_2(__open_2)
DEFINE_OPEN_2(__open64_2)
DEFINE_OPENAT_2(__openat_2)
DEFINE_OPENAT_2(__openat64_2)

static FILE *open_stream(const char *path, const char *mode)
{
    int descriptor, flags = strchr(mode, '+') != NULL ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    if (!open_special(path, flags | (strchr(mode, 'e') != NULL ? O_CLOEXEC : 0), &descriptor) || descriptor < 0)
    {
        return NULL;
    }

    FILE *stream = fdopen(descriptor, mode);
    if (stream == NULL)
    {
        close(descriptor);
    }

    return stream;
}

static bool is_special(const char *path)
{
    return path != NULL && (strcmp(path, AKVAM_DEVICE) == 0 || akvam_is_attribute(path));
}

EXPORT FILE *fopen(const char *restrict path, const char *restrict mode)
{
    return is_special(path) ? open_stream(path, mode) : REAL(fopen)(path, mode);
}

EXPORT FILE *fopen64(const char *restrict path, const char *restrict mode)
{
    return is_special(path) ? open_stream(path, mode) : REAL(fopen64)(path, mode);
}

/* Everybody may read and write the device, and read the attributes. */
static int may(const char *path, int mode)
{
    if ((mode & X_OK) != 0 || ((mode & W_OK) != 0 && strcmp(path, AKVAM_DEVICE) != 0))
    {
        errno = EACCES;
        return -1;
    }

    return 0;
}

EXPORT int access(const char *path, int mode)
{
    return is_special(path) ? may(path, mode) : REAL(access)(path, mode);
}

EXPORT int euidaccess(const char *path, int mode)
{
    return is_special(path) ? may(path, mode) : REAL(euidaccess)(path, mode);
}

EXPORT int faccessat(int folder, const char *path, int mode, int flags)
{
    return is_special(path) ? may(path, mode) : REAL(faccessat)(folder, path, mode, flags);
}

#define DEFINE_FSTAT(name, type)                                                            \
    EXPORT int name(int descriptor, struct type *status)                                    \
    {                                                                                       \
        int result = REAL(name)(descriptor, status);                                        \
        if (result == 0 && status->st_nlink == 0 && akvam_shows_attribute(descriptor))      \
        {                                                                                   \
            status->st_size = AKVAM_ATTRIBUTE_SIZE;                                         \
        }                                                                                   \
        return result;                                                                      \
    }

DEFINE_FSTAT(fstat, stat)
DEFINE_FSTAT(fstat64, stat64)

static int64_t set_signal_mask(struct akvam_file *file, uint64_t argument)
{
    struct kvm_signal_mask head;
    uint64_t mask;
    if (argument == 0)
    {
        atomic_store(&file->has_signal_mask, 0);
        return 0;
    }

    const void *address = (const void *)(uintptr_t)argument;
    if (akvam_copy(&head, address, sizeof head) != 0)
    {
        return -EFAULT;
    }

    if (head.len != sizeof mask)
    {
        return -EINVAL;
    }

    if (akvam_copy(&mask, (const char *)address + offsetof(struct kvm_signal_mask, sigset), sizeof mask) != 0)
    {
        return -EFAULT;
    }

    atomic_store(&file->signal_mask, mask);
    atomic_store(&file->has_signal_mask, 1);
    return 0;
}

static int64_t run(struct akvam_file *file, uint64_t argument)
{
    sigset_t before;
    int64_t result;
    akvam_enter();
    pthread_mutex_lock(&file->running);

    /* A signal that was handled before the call does not end it. */
    __atomic_store_n((int32_t *)(intptr_t)file->kick.kicked, 0, __ATOMIC_SEQ_CST);
    atomic_store(&file->runner, (uintptr_t)pthread_self() | AKVAM_RUNNING);
    if (!akvam_enter_run(&file->kick) || akvam_is_cancelled(pthread_self()))
    {
        result = -EINTR;
    }
    else if (atomic_load(&file->has_signal_mask))
    {
        result = -akvam_run_with_mask(file, &before);
        if (result == 0)
        {
            result = akvam_managed()->ioctl(file->managed, KVM_RUN, argument);
            akvam_restore_mask(&before);
        }
    }
    else
    {
        result = akvam_managed()->ioctl(file->managed, KVM_RUN, argument);
    }

    if (akvam_return_memory())
    {
        result = -EFAULT;
    }

    /* The deferred handlers run in akvam_leave and may not come back. */
    akvam_thread.cancelled |= (atomic_exchange(&file->runner, 0) & AKVAM_CANCELLED) != 0;
    pthread_mutex_unlock(&file->running);
    return result;
}

static int64_t kvm_ioctl(struct akvam_file *file, uint32_t request, uint64_t argument)
{
    int64_t result;
    if (file->kind == AKVAM_FILE_VCPU && request == KVM_RUN)
    {
        return run(file, argument);
    }

    akvam_enter();
    if (file->kind == AKVAM_FILE_VCPU && request == KVM_SET_SIGNAL_MASK)
    {
        result = set_signal_mask(file, argument);
    }
    else
    {
        result = akvam_managed()->ioctl(file->managed, request, argument);
    }

    if (akvam_return_memory())
    {
        result = -EFAULT;
    }

    return result;
}

EXPORT int ioctl(int descriptor, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!akvam_is_kvm(descriptor))
    {
        return REAL(ioctl)(descriptor, request, argument);
    }

    /* A VM belongs to the process that made it. */
    if (akvam_is_forked_child())
    {
        errno = EIO;
        return -1;
    }

    struct akvam_file *file = akvam_acquire(descriptor);
    if (file == NULL)
    {
        return REAL(ioctl)(descriptor, request, argument);
    }

    int64_t result = kvm_ioctl(file, (uint32_t)request, (uint64_t)(uintptr_t)argument);
    akvam_release(file);
    akvam_leave();
    if (result < 0)
    {
        errno = (int)-result;
        return -1;
    }

    return (int)result;
}

/* The dirty ring of a vCPU is shared with it or not mapped at all. */
static bool may_map(int descriptor, int protection, int flags, off_t offset)
{
    return descriptor < 0 || !akvam_is_kvm(descriptor) || offset < (off_t)KVM_DIRTY_LOG_PAGE_OFFSET * 4096
        || ((flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_EXEC) == 0);
}

/* The vCPUs of a VM show one ring of coalesced writes; each has a page of its own there, which it hides. */
static void map_ring(void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    const off_t ring = (off_t)KVM_COALESCED_MMIO_PAGE_OFFSET * 4096;
    if (descriptor < 0 || !akvam_is_kvm(descriptor) || offset > ring || (off_t)size - (ring - offset) < 4096 || (flags & MAP_TYPE) == MAP_PRIVATE)
    {
        return;
    }

    struct akvam_file *file = akvam_acquire(descriptor);
    if (file != NULL && file->kind == AKVAM_FILE_VCPU && file->ring_file >= 0)
    {
        int error = errno;
        (void)!REAL(mmap)((char *)address + (ring - offset), 4096, protection, MAP_SHARED | MAP_FIXED, file->ring_file, 0);
        errno = error;
    }

    akvam_release(file);
}

#define DEFINE_MMAP(name)                                                                   \
    EXPORT void *name(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) \
    {                                                                                       \
        if (!may_map(descriptor, protection, flags, offset))                                \
        {                                                                                   \
            errno = EINVAL;                                                                 \
            return MAP_FAILED;                                                              \
        }                                                                                   \
        void *result = REAL(name)(address, size, protection, flags, descriptor, offset);    \
        if (result != MAP_FAILED)                                                           \
        {                                                                                   \
            map_ring(result, size, protection, flags, descriptor, offset);                  \
        }                                                                                   \
        return result;                                                                      \
    }

DEFINE_MMAP(mmap)
DEFINE_MMAP(mmap64)

/* Takes the descriptor out of the table, if it is this process's to do. */
static struct akvam_file *forget(int descriptor)
{
    if (!akvam_is_kvm(descriptor))
    {
        return NULL;
    }

    if (akvam_owns_process())
    {
        return akvam_forget(descriptor);
    }

    if (akvam_is_forked_child())
    {
        akvam_forget(descriptor);
    }

    return NULL;
}

EXPORT int close(int descriptor)
{
    struct akvam_file *file = forget(descriptor);
    int result = REAL(close)(descriptor);
    int error = errno;
    akvam_release(file);
    errno = error;
    return result;
}

EXPORT int fclose(FILE *stream)
{
    struct akvam_file *file = forget(fileno(stream));
    int result = REAL(fclose)(stream);
    int error = errno;
    akvam_release(file);
    errno = error;
    return result;
}

EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
    int highest = akvam_highest_descriptor();
    for (unsigned int i = first; (flags & CLOSE_RANGE_CLOEXEC) == 0 && highest >= 0 && i <= last && i <= (unsigned int)highest; i++)
    {
        if (akvam_is_kvm((int)i))
        {
            close((int)i);
        }
    }

    return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first)
{
    close_range(first < 0 ? 0 : (unsigned int)first, ~0u, 0);
}

/* The new descriptor stands for what the old one does; what it stood for before was closed. */
static int duplicated(int from, int to)
{
    if (to >= 0 && (akvam_is_kvm(from) || akvam_is_kvm(to)) && akvam_owns_process())
    {
        int error = errno;
        akvam_share(from, to);
        errno = error;
    }

    return to;
}

EXPORT int dup(int from)
{
    return duplicated(from, REAL(dup)(from));
}

EXPORT int dup2(int from, int to)
{
    return duplicated(from, REAL(dup2)(from, to));
}

EXPORT int dup3(int from, int to, int flags)
{
    return duplicated(from, REAL(dup3)(from, to, flags));
}

#define DEFINE_FCNTL(name)                                                                  \
    EXPORT int name(int descriptor, int command, ...)                                       \
    {                                                                                       \
        va_list arguments;                                                                  \
        va_start(arguments, command);                                                       \
        void *argument = va_arg(arguments, void *);                                         \
        va_end(arguments);                                                                  \
        int result = REAL(name)(descriptor, command, argument);                             \
        return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? duplicated(descriptor, result) : result; \
    }

DEFINE_FCNTL(fcntl)
DEFINE_FCNTL(fcntl64)

/* The runtime binds its threads while it starts, which a client's system-call filter may forbid; it does not depend on it. */
EXPORT int sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set)
{
    int result = REAL(sched_setaffinity)(thread, size, set);
    return result != 0 && errno == EPERM && akvam_called_by_runtime(__builtin_return_address(0)) ? 0 : result;
}
