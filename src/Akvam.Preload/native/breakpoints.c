/*
 * CPUID of the client where the processor cannot be told to make it fault: breakpoints on the instructions themselves, in the debug registers. One of these stops at an
 * instruction's address only, so what merely looks like CPUID in the program's code does no harm. There are four, and they are a thread's: this serves small clients
 * that look at their start, as kvmtool does. A thread cannot set its own, so a child does, as a debugger would, and ends.
 */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REGISTERS = 4 };

struct program
{
    const unsigned char *cpuid[REGISTERS];
    int count;          /* more than there are registers: too many */
    bool knows_device;
};

static void find_cpuid(struct program *program, const unsigned char *at, const unsigned char *end)
{
    while (program->count <= REGISTERS && end - at >= 2 && (at = memchr(at, 0x0F, (size_t)(end - at - 1))) != NULL)
    {
        if (at[1] == 0xA2)
        {
            if (program->count < REGISTERS)
            {
                program->cpuid[program->count] = at;
            }

            program->count++;
        }

        at++;
    }
}

/* The program itself is the first of the list; libraries do not count. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *result)
{
    struct program *program = result;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum && program->count <= REGISTERS; i++)
    {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const unsigned char *start = (const unsigned char *)(info->dlpi_addr + segment->p_vaddr);
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_R) == 0)
        {
            continue;
        }

        if ((segment->p_flags & PF_X) != 0)
        {
            find_cpuid(program, start, start + segment->p_filesz);
        }

        program->knows_device |= memmem(start, segment->p_filesz, AKVAM_DEVICE, strlen(AKVAM_DEVICE)) != NULL;
    }

    return 1;
}

/* In the child: stops the parent, sets its registers, and lets it go. They stay. */
static bool set_registers(pid_t parent, const struct program *program)
{
    int status;
    unsigned long control = 0;
    if (ptrace(PTRACE_SEIZE, parent, NULL, NULL) != 0)
    {
        return false;
    }

    bool done = ptrace(PTRACE_INTERRUPT, parent, NULL, NULL) == 0 && waitpid(parent, &status, __WALL) == parent;
    for (int i = 0; done && i < program->count; i++)
    {
        /* Enabled for the thread; kind 0 is execution. [SDM3 18.2.4] */
        control |= 1ul << (2 * i);
        done = ptrace(PTRACE_POKEUSER, parent, offsetof(struct user, u_debugreg[i]), program->cpuid[i]) == 0;
    }

    done = done && ptrace(PTRACE_POKEUSER, parent, offsetof(struct user, u_debugreg[7]), control) == 0;
    int error = errno;
    ptrace(PTRACE_DETACH, parent, NULL, NULL);
    errno = error;
    return done;
}

/* 0, or an errno. */
static int break_at(const struct program *program)
{
    int ends[2], error = EIO;
    if (pipe(ends) != 0)
    {
        return errno;
    }

    /* Where Yama lets only parents trace their children. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
    {
        int result = set_registers(parent, program) ? 0 : errno;
        _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }

    close(ends[1]);
    if (child < 0 || read(ends[0], &error, sizeof error) != sizeof error)
    {
        error = child < 0 ? EAGAIN : EIO;
    }

    close(ends[0]);
    prctl(PR_SET_PTRACER, 0);
    if (child > 0)
    {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        {
        }
    }

    return error;
}

/* True if CPUID of this program now comes to the handler of SIGTRAP. */
bool akvam_break_at_cpuid(void)
{
    struct program program = {0};
    dl_iterate_phdr(look_at_program, &program);
    if (program.count == 0 || program.count > REGISTERS || !program.knows_device)
    {
        return false;
    }

    int error = akvam_pin(SIGTRAP) ? break_at(&program) : errno;
    if (error != 0)
    {
        fprintf(stderr, "akvam: this processor cannot make CPUID fault, and there are no breakpoints (%s): a client that looks for VMX or SVM by itself will not find it.\n", strerror(error));
    }

    return error == 0;
}
