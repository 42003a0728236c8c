/* The guest's TSC is the one that this program reads, plus what it sets as offset; KVM_GET_CLOCK tells the same one. */
#include "client.h"

#include <x86intrin.h>

/* rdtsc; mov [2000h], eax; mov [2004h], edx; hlt; jmp to the start */
static const unsigned char code[] = {0x0F, 0x31, 0x66, 0xA3, 0x00, 0x20, 0x66, 0x89, 0x16, 0x04, 0x20, 0xF4, 0xEB, 0xF2};

static uint64_t here(void)
{
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

int main(void)
{
    struct machine m = make_machine(code, sizeof code, 0);
    const uint64_t offsets[] = {0, 1ull << 45, -(1ull << 45)};
    for (int i = 0; i < 300; i++)
    {
        uint64_t offset = offsets[i % 3], guest, read;
        struct kvm_device_attr attribute = {.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)&offset};
        CHECK(ioctl(m.vcpu, KVM_SET_DEVICE_ATTR, &attribute) == 0);
        attribute.addr = (uintptr_t)&read;
        CHECK(ioctl(m.vcpu, KVM_GET_DEVICE_ATTR, &attribute) == 0 && read == offset);

        uint64_t before = here();
        CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
        uint64_t after = here();
        memcpy(&guest, m.memory + 0x2000, sizeof guest);
        CHECK(guest - offset >= before && guest - offset <= after);

        struct kvm_clock_data clock;
        CHECK(ioctl(m.vm, KVM_GET_CLOCK, &clock) == 0 && (clock.flags & KVM_CLOCK_HOST_TSC) != 0);
        CHECK(clock.host_tsc >= after && clock.host_tsc <= here());
    }

    close_machine(&m);
    return 0;
}
