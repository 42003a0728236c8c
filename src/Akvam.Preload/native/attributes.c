/* Files below /sys that say something about who serves the virtual machines: parameters of the kernel's modules, and the clock that guests' clocks are made from. */
#define _GNU_SOURCE
#include "akvam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODULE "/sys/module/kvm"
#define MEMORY_NAME "akvam-attribute"

static const struct { const char *path, *value; } attributes[] =
{
    {MODULE "/parameters/ignore_msrs", "N"},
    {MODULE "/parameters/force_emulation_prefix", "0"},
    {MODULE "/parameters/enable_vmware_backdoor", "N"},
    {MODULE "/parameters/enable_pmu", "N"},
    {MODULE "_intel/parameters/allow_smaller_maxphyaddr", "N"},
    {MODULE "_amd/parameters/nested", "0"},
    {MODULE "_amd/parameters/sev", "N"},
    {MODULE "_amd/parameters/sev_es", "N"},
    {MODULE "_amd/parameters/avic", "N"},
    {MODULE "_amd/parameters/vgif", "0"},

    /* The kernel's KVM gives guests a stable clock on hosts that count time by the TSC. Akvam's guests have one on every host. */
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc"},
};

static const char *value_of(const char *path)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
    {
        if (strcmp(path, attributes[i].path) == 0)
        {
            return attributes[i].value;
        }
    }

    return NULL;
}

bool akvam_is_attribute(const char *path)
{
    return strncmp(path, "/sys/", 5) == 0 && value_of(path) != NULL;
}

/* What AKVAM_PARAMETERS ("NAME=VALUE NAME=VALUE") gives a parameter: the start of its value, whose length is *length; NULL without. */
static const char *chosen_parameter(const char *path, size_t *length)
{
    const char *name = strrchr(path, '/') + 1, *at = getenv("AKVAM_PARAMETERS");
    size_t size = strlen(name);
    while (at != NULL && *at != '\0' && strncmp(path, MODULE, strlen(MODULE)) == 0)
    {
        size_t word = strcspn(at, " ");
        if (word > size && strncmp(at, name, size) == 0 && at[size] == '=')
        {
            *length = word - size - 1;
            return at + size + 1;
        }

        at += word + strspn(at + word, " ");
    }

    return NULL;
}

int akvam_open_attribute(const char *path, int flags)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
    {
        errno = EACCES;
        return -1;
    }

    const char *value = value_of(path);
    size_t length = strlen(value);
    const char *chosen = chosen_parameter(path, &length);
    int descriptor = memfd_create(MEMORY_NAME, (flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
    if (descriptor >= 0
        && (write(descriptor, chosen != NULL ? chosen : value, length) < 0 || write(descriptor, "\n", 1) < 0 || lseek(descriptor, 0, SEEK_SET) < 0))
    {
        REAL(close)(descriptor);
        return -1;
    }

    return descriptor;
}

/* True of what akvam_open_attribute gave, whose size is that of the kernel's attributes then: programs read into a buffer as long as that. */
bool akvam_shows_attribute(int descriptor)
{
    static const char expected[] = "/memfd:" MEMORY_NAME " (deleted)";
    char path[32], target[sizeof expected];
    int error = errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(path, target, sizeof target);
    errno = error;
    return length == sizeof expected - 1 && memcmp(target, expected, sizeof expected - 1) == 0;
}
