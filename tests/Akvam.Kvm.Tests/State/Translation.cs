using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>[KVM 4.15]</summary>
public sealed class Translation
{
    [Fact]
    public void WithoutPagingAddressesAreTheSame()
    {
        using var guest = new Guest([0xF4]);
        kvm_translation t = guest.Vcpu.Translate(0x1234);
        Assert.Equal(0x1234ul, t.physical_address);
        Assert.Equal(1, t.valid);
    }

    [Fact]
    public void PagesAreFollowed()
    {
        using var guest = new Guest([0xF4]);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 0));

        // The second large page shows the first one's memory.
        guest.Write(0x4008, [0x87, 0, 0, 0, 0, 0, 0, 0]);
        kvm_translation t = guest.Vcpu.Translate(0x20_1234);
        Assert.Equal((0x1234ul, 1, 1, 0), (t.physical_address, t.valid, t.writeable, t.usermode));
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void AnUnmappedAddressIsNotValid()
    {
        using var guest = new Guest([0xF4]);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 0));
        kvm_vcpu_events before = guest.Vcpu.GetVcpuEvents();
        foreach (ulong address in (ulong[])[0x4000_0000, 1ul << 63])
        {
            kvm_translation t = guest.Vcpu.Translate(address);
            Assert.Equal((ulong.MaxValue, 0), (t.physical_address, t.valid));
        }

        AbiAssert.Equal(before, guest.Vcpu.GetVcpuEvents());
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }
}
