/* A child cannot use its parent's VM, and what it closes stays open in the parent; a VM of its own works if the parent had none yet. */
#include "client.h"

static const unsigned char code[] = {0xF4};

static void wait_for(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void run(struct machine *m)
{
    CHECK(ioctl(m->vcpu, KVM_RUN, 0) == 0 && m->run->exit_reason == KVM_EXIT_HLT);
    struct kvm_regs regs = {.rip = CODE, .rflags = 2};
    CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
}

int main(void)
{
    pid_t child = fork();
    if (child == 0)
    {
        struct machine own = make_machine(code, sizeof code, 0);
        run(&own);
        _exit(0);
    }

    wait_for(child);
    struct machine m = make_machine(code, sizeof code, 0);
    run(&m);
    child = fork();
    if (child == 0)
    {
        REFUSED(EIO, ioctl(m.vcpu, KVM_RUN, 0));
        CHECK(close(m.vcpu) == 0 && close(m.vm) == 0 && close(m.kvm) == 0);
        REFUSED(EBADF, ioctl(m.vcpu, KVM_RUN, 0));
        _exit(0);
    }

    wait_for(child);
    run(&m);
    child = vfork();
    if (child == 0)
    {
        close(m.vcpu);
        close(m.vm);
        execl("/bin/true", "true", NULL);
        _exit(1);
    }

    wait_for(child);
    run(&m);
    close_machine(&m);
    return 0;
}
