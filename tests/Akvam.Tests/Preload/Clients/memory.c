/* Memory of a slot that the client protects or unmaps: KVM_RUN fails with EFAULT, the memory stays as the client made it, and the vCPU works again when it is back. */
#include "client.h"

#define DATA 0x2000

/* The jump is where the vCPU leaves: a run does not end in the middle of a block, and a HLT in it would be waiting at the next run. */
static const unsigned char load[] = {0xA0, 0x00, 0x20, 0xEB, 0x00, 0xF4};  /* mov al, [2000h]; jmp on; hlt */
static const unsigned char store[] = {0xA2, 0x00, 0x20, 0xEB, 0x00, 0xF4}; /* mov [2000h], al; jmp on; hlt */
static const unsigned char copy[] = {0xF3, 0xA4, 0xEB, 0x00, 0xF4};        /* rep movsb; jmp on; hlt */
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
    close_machine(&m);
    return 0;
}
