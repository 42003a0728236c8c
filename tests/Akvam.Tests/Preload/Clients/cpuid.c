/* What KVM_SET_CPUID2 takes away is gone: without TZCNT and LZCNT their encodings are BSF and BSR, which leave the register alone for a zero source. */
#include "client.h"

static const unsigned char code[] =
{
    0xF3, 0x0F, 0xBC, 0xD8, /* tzcnt bx, ax */
    0xF3, 0x0F, 0xBD, 0xC8, /* lzcnt cx, ax */
    0xF4,                   /* hlt */
};

static void run(int offered)
{
    struct machine m = make_machine(code, sizeof code, 0);
    struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[256]; } cpuid = {.head.nent = 256};
    CHECK(ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0);
    for (uint32_t i = 0; i < cpuid.head.nent && !offered; i++)
    {
        struct kvm_cpuid_entry2 *e = &cpuid.entries[i];
        if (e->function == 7 && e->index == 0)
        {
            CHECK((e->ebx & 1 << 3) != 0);
            e->ebx &= ~(1u << 3);
        }
        else if (e->function == 0x80000001)
        {
            CHECK((e->ecx & 1 << 5) != 0);
            e->ecx &= ~(1u << 5);
        }
    }

    CHECK(ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid) == 0);
    struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rax = 0, .rbx = 77, .rcx = 78};
    CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
    CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
    CHECK(regs.rbx == (offered ? 16 : 77) && regs.rcx == (offered ? 16 : 78));
    close_machine(&m);
}

int main(void)
{
    run(1);
    run(0);
    return 0;
}
