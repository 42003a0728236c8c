/* Two VMs of one client, running at the same time on two threads: each has memory, ports and state of its own. */
#include "client.h"

enum { ROUNDS = 20000 };

/* Adds the byte at 0x800 to AX and tells the sum, for ever. */
static const unsigned char code[] =
{
    0x02, 0x06, 0x00, 0x08, /* add al, [0x800] */
    0xE6, 0x10,             /* out 10h, al */
    0xEB, 0xF8,             /* jmp back */
};

static void *run(void *argument)
{
    unsigned char step = (unsigned char)(uintptr_t)argument, expected = 0;
    struct machine m = make_machine(code, sizeof code, 0);
    m.memory[0x800] = step;
    struct kvm_regs regs = {.rip = CODE, .rflags = 2};
    CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
    for (int round = 0; round < ROUNDS; round++)
    {
        CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_IO && m.run->io.port == 0x10);
        expected += step;
        CHECK(*((unsigned char *)m.run + m.run->io.data_offset) == expected);
    }

    close_machine(&m);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
    {
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(i * 2 + 3)) == 0);
    }

    for (int i = 0; i < 2; i++)
    {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }

    return 0;
}
