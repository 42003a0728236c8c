/* Files below /sys that speak of KVM: read in all the ways that programs have, not written. The environment gives one of them a value. */
#include "client.h"

#include <sys/stat.h>

#define CLOCK "/sys/devices/system/clocksource/clocksource0/current_clocksource"

static void expect(const char *path, const char *value)
{
    /* By its size, as of any attribute of sysfs. */
    struct stat status;
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL && fstat(fileno(stream), &status) == 0);
    CHECK(S_ISREG(status.st_mode) && status.st_size == 4096);
    char *line = malloc((size_t)status.st_size);
    CHECK(fgets(line, (int)status.st_size, stream) != NULL && strcmp(line, value) == 0);
    CHECK(fgets(line, (int)status.st_size, stream) == NULL && fclose(stream) == 0);

    /* To its end, and again. */
    char text[64];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(descriptor >= 0);
    for (int i = 0; i < 2; i++)
    {
        CHECK(read(descriptor, text, sizeof text) == (ssize_t)strlen(value) && memcmp(text, value, strlen(value)) == 0);
        CHECK(read(descriptor, text, sizeof text) == 0 && lseek(descriptor, 0, SEEK_SET) == 0);
    }

    CHECK(close(descriptor) == 0);
    CHECK(open(path, O_RDWR) == -1 && errno == EACCES);
    CHECK(access(path, R_OK) == 0 && access(path, W_OK) == -1 && errno == EACCES);
}

int main(void)
{
    expect("/sys/module/kvm/parameters/ignore_msrs", "N\n");
    expect("/sys/module/kvm/parameters/force_emulation_prefix", "1\n");
    expect(CLOCK, "tsc\n");

    /* Nothing else is touched. */
    struct stat status, named;
    int other = memfd_create("akvam-attribut", 0), zero = open("/dev/zero", O_RDONLY);
    CHECK(write(other, "1", 1) == 1 && fstat(other, &status) == 0 && status.st_size == 1);
    CHECK(fstat(zero, &status) == 0 && stat("/dev/zero", &named) == 0 && memcmp(&status, &named, sizeof status) == 0);
    CHECK(fstat(-1, &status) == -1 && errno == EBADF);
    CHECK(open("/sys/module/kvm/parameters/there_is_none", O_RDONLY) == -1 && errno == ENOENT);
    return 0;
}
