// disk FILE ROUNDS: a disk at work, with results that are known. In every round some blocks get new contents, which follow from the block's number and the
// round, and others are read, past the cache, and compared with what was last written there. A line "DISK round sum" says what was read; "DISK wrong …" that
// it was not that. The same program on the host, with a file of zeros, says what a guest must have written, and leaves what its disk must look like.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536
#define BLOCKS 256
#define WRITES 4
#define READS 8

static int file;
static uint64_t *buffer;
static int written[BLOCKS]; // the round; 0 is a block of zeros

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t seed_of(int block)
{
    return ((uint64_t)block << 32 | (uint64_t)written[block]) * 0x9E3779B97F4A7C15u | 1;
}

static void fail(const char *what, int round, int block)
{
    char line[128];
    int length = snprintf(line, sizeof line, "DISK wrong: %s of block %d in round %d\n", what, block, round);
    (void)!write(1, line, (size_t)length);
    exit(1);
}

static void write_block(int round, int block)
{
    written[block] = round;
    uint64_t state = seed_of(block);
    for (size_t i = 0; i < BLOCK / sizeof *buffer; i++)
    {
        buffer[i] = next(&state);
    }

    if (pwrite(file, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
    {
        fail("write", round, block);
    }
}

static uint64_t read_block(int round, int block)
{
    uint64_t state = seed_of(block), sum = 0;
    if (pread(file, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
    {
        fail("read", round, block);
    }

    for (size_t i = 0; i < BLOCK / sizeof *buffer; i++)
    {
        if (buffer[i] != (written[block] != 0 ? next(&state) : 0))
        {
            fail("contents", round, block);
        }

        sum = (sum << 1 | sum >> 63) ^ buffer[i];
    }

    return sum;
}

int main(int count, char **arguments)
{
    int rounds = count == 3 ? atoi(arguments[2]) : 0;
    if (rounds < 1)
    {
        fprintf(stderr, "disk FILE ROUNDS\n");
        return 2;
    }

    // Not every file system of a host has O_DIRECT.
    file = open(arguments[1], O_RDWR | O_DIRECT);
    file = file < 0 ? open(arguments[1], O_RDWR) : file;
    buffer = aligned_alloc(4096, BLOCK);
    if (file < 0 || buffer == NULL)
    {
        perror(arguments[1]);
        return 1;
    }

    uint64_t random = 0x2545F4914F6CDD1Du;
    for (int round = 1; round <= rounds; round++)
    {
        uint64_t sum = 0;
        for (int i = 0; i < WRITES; i++)
        {
            write_block(round, (int)(next(&random) % BLOCKS));
        }

        for (int i = 0; i < READS; i++)
        {
            sum = sum * 31 + read_block(round, (int)(next(&random) % BLOCKS));
        }

        char line[64];
        int length = snprintf(line, sizeof line, "DISK %d %016llx\n", round, (unsigned long long)sum);
        if (fsync(file) != 0 || write(1, line, (size_t)length) != length)
        {
            fail("end", round, 0);
        }
    }

    return 0;
}
