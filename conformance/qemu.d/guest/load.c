// load THREADS MEBIBYTES ROUNDS: work whose results are known. Each thread changes all pages of its memory in every round, sums all of it up,
// keeps integer, SSE and x87 state across rounds, and writes "TICK thread round sum float" as one line. The same program on the host says what
// a guest must have written. Anything that is lost, stale or doubled (a page, a register, an interrupt) changes a sum or the order of rounds.
// The clock is watched as well: a line "CLOCK …" means that it went back.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int threads, rounds;
static size_t bytes;

static void write_line(const char *line)
{
    size_t length = strlen(line), done = 0;
    while (done < length)
    {
        ssize_t n = write(1, line + done, length - done);
        if (n <= 0)
        {
            exit(1);
        }

        done += (size_t)n;
    }
}

static void watch_clock(int thread, struct timespec *last)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec < last->tv_sec || (now.tv_sec == last->tv_sec && now.tv_nsec < last->tv_nsec))
    {
        char line[128];
        snprintf(line, sizeof line, "CLOCK %d went back from %lld.%09ld to %lld.%09ld\n", thread, (long long)last->tv_sec, last->tv_nsec,
                 (long long)now.tv_sec, now.tv_nsec);
        write_line(line);
    }

    *last = now;
}

static void *work(void *argument)
{
    int thread = (int)(intptr_t)argument;
    size_t words = bytes / sizeof(uint64_t);
    uint64_t *memory = aligned_alloc(PAGE, bytes);
    uint64_t random = 0x9E3779B97F4A7C15u * (uint64_t)(thread + 1);
    double narrow = 1;
    long double wide = 1;
    struct timespec last = {0, 0};
    if (memory == NULL)
    {
        exit(1);
    }

    memset(memory, 0, bytes);
    for (int round = 1; round <= rounds; round++)
    {
        for (size_t page = 0; page < words; page += PAGE / sizeof(uint64_t))
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            uint64_t *word = memory + page + (random & 0xFF);
            *word = *word * 6364136223846793005u + random;
            narrow = narrow * 0.999999 + (double)(random >> 40);
            watch_clock(thread, &last);
        }

        uint64_t sum = 0;
        for (size_t i = 0; i < words; i++)
        {
            sum = (sum << 1 | sum >> 63) ^ memory[i];
        }

        wide = wide * 0.7L + (long double)(sum >> 1) / 3;
        char line[128];
        snprintf(line, sizeof line, "TICK %d %d %016llx %.17g %.20Lg\n", thread, round, (unsigned long long)sum, narrow, wide);
        write_line(line);
    }

    return NULL;
}

int main(int count, char **arguments)
{
    pthread_t ids[64];
    threads = count == 4 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > 64)
    {
        fprintf(stderr, "load THREADS MEBIBYTES ROUNDS\n");
        return 2;
    }

    bytes = (size_t)atoi(arguments[2]) << 20;
    rounds = atoi(arguments[3]);
    for (int i = 0; i < threads; i++)
    {
        if (pthread_create(&ids[i], NULL, work, (void *)(intptr_t)i) != 0)
        {
            return 1;
        }
    }

    for (int i = 0; i < threads; i++)
    {
        pthread_join(ids[i], NULL);
    }

    return 0;
}
