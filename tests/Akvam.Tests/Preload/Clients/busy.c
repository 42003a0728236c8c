/* Runs a guest that never ends, and says when it does. */
#include "client.h"

static const unsigned char loop[] = {0xE6, 0x10, 0xEB, 0xFE}; /* out 10h, al; jmp $ */

int main(void)
{
    struct machine m = make_machine(loop, sizeof loop, 1);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
    CHECK(write(STDOUT_FILENO, "running\n", 8) == 8);
    ioctl(m.vcpu, KVM_RUN, 0);
    return 1;
}
