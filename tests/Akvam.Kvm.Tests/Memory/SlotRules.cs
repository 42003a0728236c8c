using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>KVM_SET_USER_MEMORY_REGION. [KVM 4.35]</summary>
public sealed class SlotRules : IDisposable
{
    private readonly Kvm _kvm = Kvm.Open();
    private readonly Vm _vm;
    private readonly GuestMemory _memory;

    public SlotRules()
    {
        _vm = _kvm.CreateVm();
        _memory = _vm.AllocateMemory(0x10_000);
    }

    public void Dispose() => _kvm.Dispose();

    [Theory]
    [InlineData(0u, 0u, 0x800ul, 0x1000ul, 0ul)]
    [InlineData(0u, 0u, 0ul, 0x1800ul, 0ul)]
    [InlineData(0u, 0u, 0ul, 0x1000ul, 0x10ul)]
    [InlineData(0u, 1u << 5, 0ul, 0x1000ul, 0ul)]
    [InlineData(2u << 16, 0u, 0ul, 0x1000ul, 0ul)]
    [InlineData(32764u, 0u, 0ul, 0x1000ul, 0ul)]
    [InlineData(0u, 0u, 0xFFFF_FFFF_FFFF_F000ul, 0x2000ul, 0ul)]
    [InlineData(0u, 0u, 1ul << 52, 0x1000ul, 0ul)]
    public void BadArgumentsAreInvalid(uint slot, uint flags, ulong gpa, ulong size, ulong offset)
    {
        var region = new kvm_userspace_memory_region { slot = slot, flags = flags, guest_phys_addr = gpa, memory_size = size, userspace_addr = _memory.HostAddress + offset };
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.SetUserMemoryRegion(region)).Errno);
    }

    [Fact]
    public void AnAddressOfTheKernelIsInvalid()
    {
        var region = new kvm_userspace_memory_region { memory_size = 0x1000, userspace_addr = 0xFFFF_8000_0000_0000 };
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.SetUserMemoryRegion(region)).Errno);
    }

    [Fact]
    public void OverlapIsRefusedPerAddressSpace()
    {
        _vm.MapMemory(0, 0x1000, _memory, size: 0x3000);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(() => _vm.MapMemory(1, 0x3000, _memory, size: 0x1000)).Errno);
        _vm.MapMemory(1, 0x4000, _memory, size: 0x1000);
        _vm.MapMemory((1 << 16) | 0, 0x2000, _memory, size: 0x1000);
    }

    [Fact]
    public void ASlotCannotChangeItsSizeOrMemoryButCanMove()
    {
        _vm.MapMemory(0, 0x1000, _memory, size: 0x2000);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.MapMemory(0, 0x1000, _memory, size: 0x3000)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.MapMemory(0, 0x1000, _memory, offset: 0x1000, size: 0x2000)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.MapMemory(0, 0x1000, _memory, size: 0x2000, flags: KvmMemory.KVM_MEM_READONLY)).Errno);

        _memory.Span(0, 1)[0] = 0x5A;
        _vm.MapMemory(0, 0x2000, _memory, size: 0x2000);
        Span<byte> first = stackalloc byte[1];
        _vm.ReadMemory(0x2000, first);
        Assert.Equal(0x5A, first[0]);
        Assert.Equal(Errno.EFAULT, Assert.Throws<KvmException>(() => _vm.ReadMemory(0x1000, new byte[1])).Errno);
    }

    [Fact]
    public void DeletionFreesTheAddressAndASecondOneIsInvalid()
    {
        _vm.MapMemory(3, 0x1000, _memory, size: 0x1000);
        var delete = new kvm_userspace_memory_region { slot = 3 };
        _vm.SetUserMemoryRegion(delete);
        Assert.Equal(Errno.EFAULT, Assert.Throws<KvmException>(() => _vm.ReadMemory(0x1000, new byte[1])).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => _vm.SetUserMemoryRegion(delete)).Errno);
        _vm.MapMemory(3, 0x1000, _memory, size: 0x2000);
    }

    [Fact]
    public void AReadOnlySlotIsNotWrittenByTheClientEither()
    {
        _vm.MapMemory(0, 0x1000, _memory, size: 0x1000, flags: KvmMemory.KVM_MEM_READONLY);
        Assert.Equal(Errno.EFAULT, Assert.Throws<KvmException>(() => _vm.WriteMemory(0x1000, [1])).Errno);
    }

    [Fact]
    public void AnAccessMaySpanSlots()
    {
        _vm.MapMemory(0, 0x1000, _memory, offset: 0x3000, size: 0x1000);
        _vm.MapMemory(1, 0x2000, _memory, offset: 0, size: 0x1000);
        _vm.WriteMemory(0x1FFE, [1, 2, 3, 4]);
        Assert.Equal<byte>([1, 2], _memory.Span(0x3FFE, 2).ToArray());
        Assert.Equal<byte>([3, 4], _memory.Span(0, 2).ToArray());
    }
}
