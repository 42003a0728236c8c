/* Starts CoreCLR in the client's process, at its first open of /dev/kvm: a runtime that was started before the client forks would be broken in the child. */
#define _GNU_SOURCE
#include "akvam.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_RANGES 8

/* From hostfxr's and CoreCLR's documented hosting interface. */
enum { RUNTIME_DELEGATE_LOAD_ASSEMBLY = 5 };
typedef int (*initialize_for_runtime_config)(const char *path, const void *parameters, void **context);
typedef int (*get_runtime_delegate)(void *context, int type, void **delegate);
typedef int (*close_context)(void *context);
typedef int (*load_assembly)(const char *assembly, const char *type, const char *method, const char *delegate, void *reserved, void **function);
typedef int (*start_function)(struct akvam_managed_calls *managed, int32_t size);
#define UNMANAGED_CALLERS_ONLY ((const char *)-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct akvam_managed_calls managed;
static _Atomic int started, starting;
static _Atomic int owner, forked;

/* Code of the runtime's libraries. */
static struct { uintptr_t start, end; } ranges[MAX_RANGES];
static int range_count;

void *akvam_real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
    {
        fprintf(stderr, "akvam: the C library has no %s\n", name);
        abort();
    }

    return function;
}

const struct akvam_managed_calls *akvam_managed(void)
{
    return &managed;
}

bool akvam_runtime_started(void)
{
    return atomic_load_explicit(&started, memory_order_acquire) || atomic_load_explicit(&starting, memory_order_acquire);
}

/* A child of vfork shares this memory and has another number; one of fork has its own memory, and no threads of the runtime. */
bool akvam_owns_process(void)
{
    return atomic_load(&owner) == getpid();
}

bool akvam_is_forked_child(void)
{
    return atomic_load_explicit(&forked, memory_order_relaxed);
}

static void in_child(void)
{
    atomic_store(&forked, atomic_load(&started));
}

static bool is_runtime_library(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libcoreclr", 10) == 0 || strncmp(name, "libclr", 6) == 0 || strncmp(name, "libSystem.", 10) == 0 || strncmp(name, "libhost", 7) == 0;
}

static int note_library(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    if (!is_runtime_library(info->dlpi_name))
    {
        return 0;
    }

    for (int i = 0; i < info->dlpi_phnum && range_count < MAX_RANGES; i++)
    {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0)
        {
            ranges[range_count].start = info->dlpi_addr + segment->p_vaddr;
            ranges[range_count].end = ranges[range_count].start + segment->p_memsz;
            range_count++;
        }
    }

    return 0;
}

/* After the start without the loader's lock, because signal handlers may ask. */
bool akvam_called_by_runtime(const void *return_address)
{
    if (atomic_load_explicit(&started, memory_order_acquire))
    {
        for (int i = 0; i < range_count; i++)
        {
            if ((uintptr_t)return_address >= ranges[i].start && (uintptr_t)return_address < ranges[i].end)
            {
                return true;
            }
        }

        return false;
    }

    Dl_info info;
    return atomic_load(&starting) && dladdr(return_address, &info) != 0 && info.dli_fname != NULL && is_runtime_library(info.dli_fname);
}

static const char *load(void)
{
    const char *hostfxr = getenv("AKVAM_HOSTFXR"), *assembly = getenv("AKVAM_PRELOAD_ASSEMBLY");
    char config[4096];
    if (hostfxr == NULL || assembly == NULL || strlen(assembly) < 4 || strlen(assembly) + 32 > sizeof config)
    {
        return "AKVAM_HOSTFXR and AKVAM_PRELOAD_ASSEMBLY are not set: start the program with './akvam exec'";
    }

    snprintf(config, sizeof config, "%.*s.runtimeconfig.json", (int)strlen(assembly) - 4, assembly);
    void *library = dlopen(hostfxr, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
    {
        return dlerror();
    }

    initialize_for_runtime_config initialize = (initialize_for_runtime_config)dlsym(library, "hostfxr_initialize_for_runtime_config");
    get_runtime_delegate get_delegate = (get_runtime_delegate)dlsym(library, "hostfxr_get_runtime_delegate");
    close_context close = (close_context)dlsym(library, "hostfxr_close");
    if (initialize == NULL || get_delegate == NULL || close == NULL)
    {
        return "this is not a hostfxr library";
    }

    void *context = NULL;
    load_assembly load_function = NULL;
    start_function start = NULL;
    bool loaded = initialize(config, NULL, &context) >= 0 && get_delegate(context, RUNTIME_DELEGATE_LOAD_ASSEMBLY, (void **)&load_function) >= 0
        && load_function(assembly, "Akvam.Preload.EntryPoint, Akvam.Preload", "Start", UNMANAGED_CALLERS_ONLY, NULL, (void **)&start) >= 0;
    if (context != NULL)
    {
        close(context);
    }

    return !loaded ? "the .NET runtime did not start" : start(&managed, sizeof managed) != 0 ? "the library and its C# part do not belong together" : NULL;
}

int akvam_start(void)
{
    if (atomic_load_explicit(&started, memory_order_acquire))
    {
        return akvam_owns_process() ? 0 : ENXIO;
    }

    int error = 0;
    pthread_mutex_lock(&lock);
    if (!atomic_load(&started))
    {
        atomic_store(&starting, 1);
        akvam_enter();
        const char *problem = load();
        akvam_leave();
        if (problem == NULL)
        {
            akvam_pin(SIGBUS);
            pthread_atfork(NULL, NULL, in_child);
            dl_iterate_phdr(note_library, NULL);
            atomic_store(&owner, getpid());
            atomic_store_explicit(&started, 1, memory_order_release);
        }
        else
        {
            fprintf(stderr, "akvam: %s\n", problem);
            error = ENXIO;
        }

        atomic_store(&starting, 0);
    }

    pthread_mutex_unlock(&lock);
    return error;
}
