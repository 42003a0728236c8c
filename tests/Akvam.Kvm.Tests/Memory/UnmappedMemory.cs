using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>A slot whose memory is not there would end the process when a guest touches it.</summary>
public sealed class UnmappedMemory
{
    [Fact]
    public void ASlotOfUnmappedMemoryIsRefused()
    {
        using Kvm kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        GuestMemory memory = vm.AllocateMemory(0x4000);
        var region = new kvm_userspace_memory_region { memory_size = 0x4000, userspace_addr = 0x1000 };
        Assert.Equal(Errno.EFAULT, Assert.Throws<KvmException>(() => vm.SetUserMemoryRegion(region)).Errno);
        region.userspace_addr = memory.HostAddress;
        vm.SetUserMemoryRegion(region);
    }
}
