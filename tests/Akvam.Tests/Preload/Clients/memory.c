/* Memory of a slot that the client protects or unmaps, or whose file it cuts short: KVM_RUN fails with EFAULT, the memory stays as the client made it, and the vCPU works again when it is back. */
#include "client.h"

#define DATA 0x2000

/*
 * jmp on; hlt: hlt; on: what it is about; jmp hlt. The jump back is where the vCPU leaves: a run does not end in the middle of a block, nor at a jump forward, and a HLT
 * there would be waiting at the next run.
 */
static const unsigned char load[] = {0xEB, 0x01, 0xF4, 0xA0, 0x00, 0x20, 0xEB, 0xFA};  /* mov al, [2000h] */
static const unsigned char store[] = {0xEB, 0x01, 0xF4, 0xA2, 0x00, 0x20, 0xEB, 0xFA}; /* mov [2000h], al */
static const unsigned char copy[] = {0xEB, 0x01, 0xF4, 0xF3, 0xA4, 0xEB, 0xFB};        /* rep movsb */
static struct machine m;

static int start(void)
{
    struct kvm_regs regs = {.rip = CODE, .rax = 0x5A, .rcx = 0x6000, .rsi = 0x2000, .rdi = 0x8000, .rflags = 2};
    CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
    return ioctl(m.vcpu, KVM_RUN, 0);
}

static void expect_halt(void)
{
    CHECK(start() == 0 && m.run->exit_reason == KVM_EXIT_HLT);
}

static int readable(const void *address)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    int result = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return result;
}

/* The second half of the slot's memory becomes a file. */
static int map_file(int protection, int flags)
{
    int file = memfd_create("guest", 0);
    CHECK(file >= 0 && ftruncate(file, 0x8000) == 0);
    CHECK(mmap(m.memory + 0x8000, 0x8000, protection, flags | MAP_FIXED, file, 0) == m.memory + 0x8000);
    return file;
}

static volatile int buses;

static void on_bus(int signal)
{
    (void)signal;
    buses++;
}

static void check_file(void)
{
    /* mov [9000h], al; mov al, [0A000h] */
    static const unsigned char both[] = {0xEB, 0x01, 0xF4, 0xA2, 0x00, 0x90, 0xA0, 0x00, 0xA0, 0xEB, 0xF7};
    memcpy(m.memory + CODE, both, sizeof both);
    int file = map_file(PROT_READ | PROT_WRITE, MAP_SHARED);
    expect_halt();
    CHECK(m.memory[0x9000] == 0x5A);

    /* The client's own handler, and its mask, have no part in it. */
    struct sigaction action = {.sa_handler = on_bus}, old;
    sigset_t set;
    CHECK(sigaction(SIGBUS, &action, &old) == 0 && old.sa_handler == SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGBUS);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(ftruncate(file, 0) == 0);
    REFUSED(EFAULT, start());
    REFUSED(EFAULT, start());
    REFUSED(EFAULT, ioctl(m.vcpu, KVM_SET_REGS, m.memory + 0x9000));
    CHECK(!readable(m.memory + 0x9000) && !readable(m.memory + 0xA000));
    CHECK(ftruncate(file, 0x8000) == 0);
    expect_halt();
    CHECK(pread(file, &(char){0}, 1, 0x1000) == 1 && m.memory[0x9000] == 0x5A && buses == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 && raise(SIGBUS) == 0 && buses == 1);
    CHECK(sigaction(SIGBUS, &old, &action) == 0 && action.sa_handler == on_bus);
    close(file);

    /* One that may only be read stays what it is. */
    file = map_file(PROT_READ | PROT_WRITE, MAP_SHARED);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int reader = open(path, O_RDONLY);
    CHECK(reader >= 0 && mmap(m.memory + 0x8000, 0x8000, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0) == m.memory + 0x8000);
    REFUSED(EFAULT, start());
    CHECK(pwrite(file, "x", 1, 0x1000) == 1 && m.memory[0x9000] == 'x');
    close(reader);
    close(file);
}

int main(void)
{
    m = make_machine(load, sizeof load, 0);
    unsigned char *data = m.memory + DATA;
    *data = 0x77;
    expect_halt();

    CHECK(mprotect(data, 4096, PROT_NONE) == 0);
    REFUSED(EFAULT, start());
    REFUSED(EFAULT, start());
    CHECK(!readable(data));
    CHECK(mprotect(data, 4096, PROT_READ) == 0);
    expect_halt();

    memcpy(m.memory + CODE, store, sizeof store);
    REFUSED(EFAULT, start());
    CHECK(readable(data));
    CHECK(mprotect(data, 4096, PROT_READ | PROT_WRITE) == 0);
    expect_halt();
    CHECK(*data == 0x5A);

    CHECK(munmap(data, 4096) == 0);
    REFUSED(EFAULT, start());
    REFUSED(ENOMEM, msync(data, 4096, MS_ASYNC));
    CHECK(mmap(data, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == data);
    expect_halt();
    CHECK(*data == 0x5A);

    /* Many pages at once, and the page of the code. */
    memcpy(m.memory + CODE, copy, sizeof copy);
    expect_halt();
    CHECK(mprotect(data, 0x6000, PROT_NONE) == 0);
    REFUSED(EFAULT, start());
    CHECK(!readable(data) && !readable(data + 0x5000));
    CHECK(mprotect(data, 0x6000, PROT_READ | PROT_WRITE) == 0);
    CHECK(mprotect(m.memory + CODE, 4096, PROT_NONE) == 0);
    REFUSED(EFAULT, start());
    CHECK(mprotect(m.memory + CODE, 4096, PROT_READ | PROT_WRITE) == 0);
    expect_halt();
    check_file();
    close_machine(&m);
    return 0;
}
