/* Memory that client and KVM share besides the run page: one ring of coalesced writes for all vCPUs, rings of dirty pages, statistics. And two VMs at once. */
#include "client.h"

/* out 80h, al; hlt */
static const unsigned char coalesced[] = {0xE6, 0x80, 0xF4};

/* mov [2000h], al; mov [4000h], al; mov [2000h], al; hlt */
static const unsigned char writes[] = {0xA2, 0x00, 0x20, 0xA2, 0x00, 0x40, 0xA2, 0x00, 0x20, 0xF4};

/* out 10h, al; jmp to it */
static const unsigned char port[] = {0xE6, 0x10, 0xEB, 0xFC};

static void restart(int vcpu)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = CODE, .rflags = 2};
    CHECK(ioctl(vcpu, KVM_GET_SREGS, &sregs) == 0);
    sregs.cs.base = sregs.cs.selector = 0;
    CHECK(ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0);
}

static void test_coalesced(void)
{
    struct machine m = make_machine(coalesced, sizeof coalesced, 0);
    struct kvm_coalesced_mmio_zone zone = {.addr = 0x80, .size = 1, .pio = 1};
    CHECK(ioctl(m.vm, KVM_REGISTER_COALESCED_MMIO, &zone) == 0);
    int second = ioctl(m.vm, KVM_CREATE_VCPU, 1);
    unsigned char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, second, 0);
    CHECK(second >= 0 && map != MAP_FAILED);
    restart(second);
    CHECK(ioctl(second, KVM_RUN, 0) == 0 && ((struct kvm_run *)map)->exit_reason == KVM_EXIT_HLT);

    struct kvm_coalesced_mmio_ring *one = (void *)((unsigned char *)m.run + KVM_COALESCED_MMIO_PAGE_OFFSET * 4096);
    struct kvm_coalesced_mmio_ring *other = (void *)(map + KVM_COALESCED_MMIO_PAGE_OFFSET * 4096);
    CHECK(one->last == 1 && other->last == 1 && one->coalesced_mmio[0].phys_addr == 0x80 && one->coalesced_mmio[0].pio == 1);
    CHECK(munmap(map, 3 * 4096) == 0 && close(second) == 0);
    close_machine(&m);
}

static uint64_t statistic(int file, const char *name)
{
    struct kvm_stats_header header;
    CHECK(pread(file, &header, sizeof header, 0) == sizeof header);
    size_t size = sizeof(struct kvm_stats_desc) + header.name_size;
    struct kvm_stats_desc *desc = malloc(size);
    for (unsigned int i = 0; i < header.num_desc; i++)
    {
        CHECK(pread(file, desc, size, header.desc_offset + i * size) == (ssize_t)size);
        if (strcmp(desc->name, name) == 0)
        {
            uint64_t value;
            CHECK(pread(file, &value, sizeof value, header.data_offset + desc->offset) == sizeof value);
            free(desc);
            return value;
        }
    }

    fprintf(stderr, "no statistic %s\n", name);
    exit(1);
}

static void test_statistics(void)
{
    struct machine m = make_machine(port, sizeof port, 0);
    int vcpu = ioctl(m.vcpu, KVM_GET_STATS_FD, 0), again = ioctl(m.vcpu, KVM_GET_STATS_FD, 0), vm = ioctl(m.vm, KVM_GET_STATS_FD, 0);
    CHECK(vcpu >= 0 && again >= 0 && again != vcpu && vm >= 0 && statistic(vm, "vcpus") == 1);
    uint64_t before = statistic(vcpu, "io_exits");
    for (int i = 0; i < 5; i++)
    {
        CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
    }

    CHECK(statistic(vcpu, "io_exits") == before + 5 && statistic(again, "io_exits") == before + 5 && statistic(vcpu, "instructions") >= 5);
    REFUSED(EBADF, write(vcpu, &m, 8));
    CHECK(close(vcpu) == 0 && statistic(again, "exits") >= 5 && close(again) == 0 && close(vm) == 0);
    close_machine(&m);
}

static void test_dirty_ring(void)
{
    const int entries = 256;
    struct machine m = make_machine(writes, sizeof writes, 0);
    CHECK(close(m.vcpu) == 0 && close(m.vm) == 0);
    CHECK((m.vm = ioctl(m.kvm, KVM_CREATE_VM, 0)) >= 0);
    struct kvm_enable_cap cap = {.cap = KVM_CAP_DIRTY_LOG_RING, .args = {entries * sizeof(struct kvm_dirty_gfn)}};
    CHECK(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) == 65536 * (int)sizeof(struct kvm_dirty_gfn));
    REFUSED(EINVAL, ioctl(m.vm, KVM_RESET_DIRTY_RINGS, 0));
    CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &cap) == 0);
    REFUSED(EINVAL, ioctl(m.vm, KVM_ENABLE_CAP, &cap));
    struct kvm_userspace_memory_region region = {.slot = 3, .flags = KVM_MEM_LOG_DIRTY_PAGES, .memory_size = MEMORY_SIZE, .userspace_addr = (uintptr_t)m.memory};
    CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
    struct kvm_dirty_log log = {.slot = 3};
    REFUSED(ENXIO, ioctl(m.vm, KVM_GET_DIRTY_LOG, &log));

    CHECK((m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 0)) >= 0);
    const off_t offset = KVM_DIRTY_LOG_PAGE_OFFSET * 4096;
    const size_t size = entries * sizeof(struct kvm_dirty_gfn);
    REFUSED(EINVAL, mmap(NULL, size, PROT_READ, MAP_PRIVATE, m.vcpu, offset) == MAP_FAILED ? -1 : 0);
    REFUSED(EINVAL, mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, m.vcpu, offset) == MAP_FAILED ? -1 : 0);
    struct kvm_dirty_gfn *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, offset);
    CHECK(ring != MAP_FAILED);
    for (int round = 0; round < 2; round++)
    {
        struct kvm_dirty_gfn *first = ring + 2 * round;
        restart(m.vcpu);
        CHECK(ioctl(m.vcpu, KVM_RUN, 0) == 0);
        CHECK(first[0].flags == KVM_DIRTY_GFN_F_DIRTY && first[0].slot == 3 && first[0].offset == 2);
        CHECK(first[1].flags == KVM_DIRTY_GFN_F_DIRTY && first[1].offset == 4 && first[2].flags == 0);
        CHECK(ioctl(m.vm, KVM_RESET_DIRTY_RINGS, 0) == 0);
        first[0].flags = first[1].flags = KVM_DIRTY_GFN_F_RESET;
        CHECK(ioctl(m.vm, KVM_RESET_DIRTY_RINGS, 0) == 2 && first[0].flags == 0);
    }

    CHECK(munmap(ring, size) == 0);
    close_machine(&m);
}

static void *run_many(void *argument)
{
    struct machine *m = argument;
    for (int i = 0; i < 20000; i++)
    {
        CHECK(ioctl(m->vcpu, KVM_RUN, 0) == 0 && m->run->exit_reason == KVM_EXIT_IO);
        CHECK(*((unsigned char *)m->run + m->run->io.data_offset) == m->memory[0]);
    }

    return NULL;
}

static void test_two_machines(void)
{
    struct machine machines[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
    {
        machines[i] = make_machine(port, sizeof port, 0);
        machines[i].memory[0] = 0x40 + i;
        struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rax = 0x40 + i};
        CHECK(ioctl(machines[i].vcpu, KVM_SET_REGS, &regs) == 0);
    }

    for (int i = 0; i < 2; i++)
    {
        CHECK(pthread_create(&threads[i], NULL, run_many, &machines[i]) == 0);
    }

    for (int i = 0; i < 2; i++)
    {
        CHECK(pthread_join(threads[i], NULL) == 0);
        close_machine(&machines[i]);
    }
}

int main(void)
{
    test_coalesced();
    test_statistics();
    test_dirty_ring();
    test_two_machines();
    return 0;
}
