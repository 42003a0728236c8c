using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>Memory is always there, so that a guest is never told that it is not; what it asks for is checked and kept. [KVM msr.rst MSR_KVM_ASYNC_PF_EN]</summary>
public sealed class AsyncFaults
{
    private const uint En = KvmPara.MSR_KVM_ASYNC_PF_EN, Int = KvmPara.MSR_KVM_ASYNC_PF_INT, Ack = KvmPara.MSR_KVM_ASYNC_PF_ACK;

    [Theory]
    [InlineData(En, 0x2000 | 1 | 8, true)]
    [InlineData(En, 0x2000 | 1 | 2 | 8, true)]
    [InlineData(En, 0x2000 | 1 | 4, false)]
    [InlineData(En, 0x2000 | 1 | 16, false)]
    [InlineData(En, 0x2000 | 1 | 32, false)]
    [InlineData(En, 0x1000_0000 | 1, false)]
    [InlineData(En, 0x1000_0000, true)]
    [InlineData(Int, 0xF3, true)]
    [InlineData(Int, 0x100, false)]
    [InlineData(Ack, 1, true)]
    public void WhatIsAskedForIsChecked(uint index, ulong value, bool allowed)
    {
        using var guest = new Guest([0xF4], irqchip: true);
        Assert.Equal(allowed ? 1 : 0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = index, data = value }]));
        var entries = new kvm_msr_entry[] { new() { index = index } };
        Assert.Equal(1, guest.Vcpu.GetMsrs(entries));
        Assert.Equal(allowed && index != Ack ? value : 0, entries[0].data);
    }

    [Fact]
    public void TheyNeedALocalApic()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = En, data = 0x2000 | 1 }]));
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = En, data = 0 }]));
    }

    [Fact]
    public void QemusDefaultProcessorFindsAllThatItAsksFor()
    {
        using var kvm = Kvm.Open();
        uint features = kvm.GetSupportedCpuid().Single(e => e.function == KvmPara.KVM_CPUID_FEATURES).eax;
        foreach (int bit in new[] { KvmPara.KVM_FEATURE_CLOCKSOURCE, KvmPara.KVM_FEATURE_NOP_IO_DELAY, KvmPara.KVM_FEATURE_ASYNC_PF, KvmPara.KVM_FEATURE_PV_EOI })
        {
            Assert.NotEqual(0u, features & (1u << bit));
        }
    }
}
