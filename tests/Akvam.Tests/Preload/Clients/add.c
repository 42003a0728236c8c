/* Adds two numbers in real mode, prints the digit to a port, halts: the run page, duplicates of descriptors, and several VMs after each other. */
#include "client.h"

static const unsigned char code[] =
{
    0x00, 0xD8,       /* add al, bl */
    0x04, '0',        /* add al, '0' */
    0xBA, 0xF8, 0x03, /* mov dx, 3f8h */
    0xEE,             /* out dx, al */
    0xEC,             /* in al, dx */
    0xA2, 0x00, 0x20, /* mov [2000h], al */
    0xF4,             /* hlt */
};

static void once(void)
{
    struct machine m = make_machine(code, sizeof code, 0);
    CHECK(ioctl(m.kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION);

    /* A duplicate is the same vCPU, and the original is not needed any more. */
    int copy = dup(m.vcpu);
    CHECK(copy >= 0 && close(m.vcpu) == 0);
    CHECK((m.vcpu = fcntl(copy, F_DUPFD_CLOEXEC, 100)) >= 100 && close(copy) == 0);
    CHECK((copy = open("/dev/null", O_RDWR)) >= 0 && dup2(m.vcpu, copy) == copy && close(m.vcpu) == 0);
    CHECK((m.vcpu = open("/dev/null", O_RDWR)) >= 0 && dup3(copy, m.vcpu, O_CLOEXEC) == m.vcpu && close(copy) == 0);

    struct stat status;
    CHECK(fstat(m.vcpu, &status) == 0);
    CHECK(ftruncate(m.vcpu, 0) != 0);

    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
    CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.direction == KVM_EXIT_IO_OUT && m.run->io.port == 0x3F8);
    CHECK(m.run->io.size == 1 && m.run->io.count == 1);
    CHECK(*((char *)m.run + m.run->io.data_offset) == '5');

    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
    CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.direction == KVM_EXIT_IO_IN);
    *((char *)m.run + m.run->io.data_offset) = 'x';

    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
    CHECK(m.run->exit_reason == KVM_EXIT_HLT);
    CHECK(m.memory[0x2000] == 'x');
    struct kvm_regs regs;
    CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
    CHECK(regs.rip == CODE + sizeof code && (regs.rax & 0xFF) == 'x');
    close_machine(&m);
}

static void *on_thread(void *unused)
{
    for (int i = 0; i < 5; i++)
    {
        once();
    }

    return unused;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int i = 0; i < 1024; i++)
    {
        count += fcntl(i, F_GETFD) >= 0;
    }

    return count;
}

int main(void)
{
    pthread_t threads[4];
    once();
    int before = open_descriptors();
    for (int i = 0; i < 4; i++)
    {
        CHECK(pthread_create(&threads[i], NULL, on_thread, NULL) == 0);
    }

    for (int i = 0; i < 4; i++)
    {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }

    /* Eventfds of finished VMs are closed by the collector, not at once; descriptors of ours are. */
    CHECK(open_descriptors() <= before + 60);

    /* The VM goes on as long as one of its vCPUs is open. */
    struct machine m = make_machine(code, sizeof code, 0);
    CHECK(close(m.vm) == 0 && close(m.kvm) == 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_IO);

    /* Numbers that nothing else in the process gets to use. */
    CHECK(dup2(m.vcpu, 900) == 900 && dup2(m.vcpu, 901) == 901 && close(m.vcpu) == 0 && close(900) == 0);
    REFUSED(EBADF, ioctl(900, KVM_RUN, 0));
    CHECK(ioctl(901, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_IO);
    CHECK(close_range(901, 901, 0) == 0);
    REFUSED(EBADF, ioctl(901, KVM_RUN, 0));
    return 0;
}
