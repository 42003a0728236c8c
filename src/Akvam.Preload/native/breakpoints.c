/*
 * CPUID of the client where the processor cannot be told to make it fault: a breakpoint instruction takes its place.
 *
 * Only in the client's own program, not in libraries, only if it has the name of /dev/kvm in it, and only where it is certain that the two bytes are the instruction: the
 * unwind tables, which every program has, say where the function around them begins, and its instructions are gone through from there. It must not be read otherwise than
 * as CPUID, because a function may well hold these bytes as a constant. The code is written as a debugger would, so that it is at no time writable, and its page becomes
 * the process's own; threads and children of fork have the breakpoints too, a new program comes here itself.
 */
#define _GNU_SOURCE
#include "akvam.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const unsigned char cpuid[] = {0x0F, 0xA2}, breakpoint = 0xCC;

/* Addresses of CPUID instructions, in order; complete before the first is changed. */
static uintptr_t *places;
static size_t count;

struct program
{
    const unsigned char *start[4], *end[4]; /* code */
    int segments;
    bool knows_device;
};

/* The program itself is the first of the list. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *result)
{
    struct program *program = result;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
    {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const unsigned char *start = (const unsigned char *)(info->dlpi_addr + segment->p_vaddr);
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_R) == 0)
        {
            continue;
        }

        if ((segment->p_flags & PF_X) != 0 && program->segments < (int)(sizeof program->start / sizeof program->start[0]))
        {
            program->start[program->segments] = start;
            program->end[program->segments++] = start + segment->p_filesz;
        }

        program->knows_device |= memmem(start, segment->p_filesz, AKVAM_DEVICE, strlen(AKVAM_DEVICE)) != NULL;
    }

    return 1;
}

/* Goes through the function's instructions. False if one before the place cannot be read; otherwise *found says whether one begins there. */
static bool go_through(const unsigned char *function, const unsigned char *place, const unsigned char *end, bool *found)
{
    while (function < place)
    {
        size_t length = akvam_instruction_length(function, (size_t)(end - function));
        if (length == 0)
        {
            return false;
        }

        function += length;
    }

    *found = function == place;
    return true;
}

static bool add(const unsigned char *place)
{
    uintptr_t *more = reallocarray(places, count + 1, sizeof *places);
    if (more == NULL)
    {
        return false;
    }

    places = more;
    places[count++] = (uintptr_t)place;
    return true;
}

/* Fills the table, and counts what looks like CPUID and may be one or not. False if there is no memory for it. */
static bool find(const unsigned char *start, const unsigned char *end, void *(*enclosing_function)(void *), int *uncertain)
{
    for (const unsigned char *at = start; (at = memmem(at, (size_t)(end - at), cpuid, sizeof cpuid)) != NULL; at += sizeof cpuid)
    {
        /* It is made for a place that a call returns to, and so looks at the byte before. */
        const unsigned char *function = enclosing_function((void *)(at + 1));
        bool found = false;
        if (function == NULL || function < start || !go_through(function, at, end, &found))
        {
            (*uncertain)++;
        }
        else if (found && !add(at))
        {
            return false;
        }
    }

    return true;
}

/* 0, or an errno if there is none. */
static int write_breakpoints(void)
{
    int memory = REAL(open)("/proc/self/mem", O_RDWR | O_CLOEXEC), error = 0;
    size_t written = 0;
    if (memory < 0)
    {
        return errno;
    }

    while (written < count && pwrite(memory, &breakpoint, 1, (off_t)places[written]) == 1)
    {
        written++;
    }

    error = errno;
    REAL(close)(memory);
    count = written;
    return written == 0 ? error : 0;
}

/* True if a breakpoint has taken the place of CPUID there. Called in a signal handler. */
bool akvam_is_breakpoint(uintptr_t address)
{
    for (size_t i = 0; i < count; i++)
    {
        if (places[i] == address)
        {
            return true;
        }
    }

    return false;
}

/* Says why it did not work: NULL if it did, or if there is nothing to do. */
static const char *set_breakpoints(void)
{
    struct program program = {0};
    dl_iterate_phdr(look_at_program, &program);
    if (!program.knows_device)
    {
        return NULL;
    }

    /* The runtime needs this library too. */
    void *unwinder = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    void *(*enclosing_function)(void *) = unwinder != NULL ? (void *(*)(void *))dlsym(unwinder, "_Unwind_FindEnclosingFunction") : NULL;
    if (enclosing_function == NULL)
    {
        return "there is no libgcc_s.so.1";
    }

    int uncertain = 0;
    for (int i = 0; i < program.segments; i++)
    {
        if (!find(program.start[i], program.end[i], enclosing_function, &uncertain))
        {
            return strerror(ENOMEM);
        }
    }

    if (count == 0)
    {
        return uncertain != 0 ? "this program does not say where its functions begin" : NULL;
    }

    int error = akvam_pin(SIGTRAP) ? write_breakpoints() : errno;
    return error != 0 ? strerror(error) : NULL;
}

/* True if CPUID of this program now comes to the handler of SIGTRAP. */
bool akvam_break_at_cpuid(void)
{
    const char *problem = set_breakpoints();
    if (problem != NULL)
    {
        count = 0;
        fprintf(stderr, "akvam: this processor cannot make CPUID fault, and there are no breakpoints (%s): a client that looks for VMX or SVM by itself will not find it.\n", problem);
    }

    return count != 0;
}
