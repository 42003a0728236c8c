/*
 * akb.h - interface between the benchmark bodies and the environment.
 *
 * A benchmark body (work_*.c) is compiled twice from the same source with the
 * same optimisation flags: once into a bare-metal multiboot guest (guest.c
 * supplies this interface) and, where it needs no privilege, once into a plain
 * Linux process (native.c supplies it).  Original work for the Akvam project.
 *
 * Output protocol, one line each, to COM1 (guest) or stdout (native):
 *     AKB begin <phase> n=<decimal>
 *     AKB end <phase> n=<decimal> sum=<16 hex digits>
 * The guest never measures time itself: virtual clocks differ between
 * emulators.  The harness stamps the two lines on arrival.
 */
#ifndef AKB_H
#define AKB_H

#include <stdint.h>
#include <stddef.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* The body's entry point: runs every phase of the benchmark. */
void akb_main(void);

/* Number of iterations for a phase: base * scale / 1000, at least 1.  The
 * scale is 1000 unless "scale=N" is on the command line. */
u64 akb_n(u64 base);

void akb_begin(const char *phase, u64 n);
void akb_end(const char *phase, u64 n, u64 sum);

/* A phase that the machine cannot run (feature missing). */
void akb_skip(const char *phase, const char *why);

/* 64 MiB of zeroed memory mapped by 4 KiB pages. */
#define AKB_ARENA_BYTES (64u << 20)
void *akb_arena(void);

/* Checksum step: a multiply-xorshift mix. */
static inline u64 akb_mix(u64 h, u64 v)
{
    h ^= v;
    h *= 0x9E3779B97F4A7C15ull;
    return h ^ (h >> 29);
}

/* xorshift64 generator, the only source of "random" data. */
static inline u64 akb_rand(u64 *s)
{
    u64 x = *s;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *s = x;
}

#endif
