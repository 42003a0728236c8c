using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>[KVM 4.3] [KVM 4.18] [KVM 4.19]</summary>
public sealed class MsrsReadAndWrite
{
    private const uint LSTAR = 0xC000_0082, SMBASE = 0x9E;

    [Fact]
    public void EveryListedMsrCanBeReadAndWrittenBack()
    {
        using var kvm = Kvm.Open();
        using var guest = new Guest([0xF4], irqchip: true);
        kvm_msr_entry[] entries = [.. kvm.GetMsrIndexList().Select(index => new kvm_msr_entry { index = index })];
        Assert.Equal(entries.Length, guest.Vcpu.GetMsrs(entries));
        int written = guest.Vcpu.SetMsrs(entries);
        Assert.True(written == entries.Length, written < entries.Length ? $"MSR {entries[written].index:x} does not take {entries[written].data:x}" : "");
    }

    [Fact]
    public void WritingStopsAtTheFirstThatDoesNotExist()
    {
        using var guest = new Guest([0xF4]);
        kvm_msr_entry[] entries = [new() { index = LSTAR, data = 0x1000 }, new() { index = 0xDEAD_BEEF, data = 1 }, new() { index = SMBASE, data = 0xA_0000 }];
        Assert.Equal(1, guest.Vcpu.SetMsrs(entries));
        Assert.Equal(1, guest.Vcpu.GetMsrs(entries));
        kvm_msr_entry[] one = [new() { index = SMBASE }];
        Assert.Equal(1, guest.Vcpu.GetMsrs(one));
        Assert.Equal(0x3_0000ul, one[0].data);
    }

    [Fact]
    public void TheGuestSeesWhatTheClientWrote()
    {
        // mov ecx, 0c0000082h; rdmsr; out 1, eax; hlt
        using var guest = new Guest([0x66, 0xB9, 0x82, 0x00, 0x00, 0xC0, 0x0F, 0x32, 0x66, 0xE7, 0x01, 0xF4]);
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = LSTAR, data = 0x1234_5678 }]));
        Assert.Equal(0x1234_5678u, guest.Vcpu.Run().Io.Value);
    }
}
