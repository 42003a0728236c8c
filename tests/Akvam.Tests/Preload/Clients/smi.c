/* One SMI whose handler returns, and one whose handler spoils the image: RSM fails. */
#include "client.h"

#define SMRAM_SIZE 0x50000
#define HANDLER 0x38000
#define SAVED_CR0 0x3FF58

int main(void)
{
    static const unsigned char code[] = {0xF4, 0xF4};  /* hlt; hlt */
    struct machine m = make_machine(code, sizeof code, 0);
    unsigned char *smram = mmap(NULL, SMRAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(smram != MAP_FAILED);
    struct kvm_userspace_memory_region region = {.slot = 1 << 16, .memory_size = SMRAM_SIZE, .userspace_addr = (uintptr_t)smram};
    CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
    struct
    {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[100];
    } cpuid = {.head.nent = 100};
    CHECK(ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0);
    CHECK(ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid) == 0);

    memcpy(smram + HANDLER, "\x0F\xAA", 2);  /* rsm */
    CHECK(ioctl(m.vcpu, KVM_SMI, 0) == 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_HLT);

    memcpy(smram + HANDLER, "\x2E\xC7\x06\x5C\xFF\x01\x00\x0F\xAA", 9);  /* mov word cs:[0FF5Ch], 1; rsm */
    CHECK(ioctl(m.vcpu, KVM_SMI, 0) == 0);
    CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_SHUTDOWN);
    CHECK(smram[SAVED_CR0 + 4] == 1);
    close_machine(&m);
    return 0;
}
