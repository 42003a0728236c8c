/*
 * native.c - runs a benchmark body as a plain Linux process.
 *
 * At its end it waits for the end of its standard input, unless that is a
 * terminal: the CPU time of a process can only be read while it exists.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "akb.h"

static u64 scale = 1000;

u64 akb_n(u64 base)
{
    u64 n = base * scale / 1000;
    return n ? n : 1;
}

void akb_begin(const char *phase, u64 n)
{
    printf("AKB begin %s n=%llu\n", phase, (unsigned long long)n);
    fflush(stdout);
}

void akb_end(const char *phase, u64 n, u64 sum)
{
    printf("AKB end %s n=%llu sum=%016llx\n", phase, (unsigned long long)n,
           (unsigned long long)sum);
    fflush(stdout);
}

void akb_skip(const char *phase, const char *why)
{
    printf("AKB skip %s %s\n", phase, why);
}

void *akb_arena(void)
{
    u8 *p = mmap(0, AKB_ARENA_BYTES + (2 << 20), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, AKB_ARENA_BYTES + (2 << 20), MADV_NOHUGEPAGE);   /* keep 4 KiB pages */
    memset(p, 0, AKB_ARENA_BYTES);
    return p;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "scale=", 6))
            scale = strtoull(argv[i] + 6, 0, 10);
    akb_main();
    printf("AKB done\n");
    fflush(stdout);
    while (!isatty(0) && getchar() != EOF)
        ;
    return 0;
}
