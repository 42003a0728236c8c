using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>semantics.md section 6.2. [KVM 4.38] [KVM 4.39]</summary>
public sealed class MpStateRules
{
    [Fact]
    public void TheBootProcessorRunsAndTheOthersWait()
    {
        using var guest = new Guest([0xF4], irqchip: true);
        using Vcpu other = guest.Vm.CreateVcpu(1);
        Assert.Equal(KvmState.KVM_MP_STATE_RUNNABLE, guest.Vcpu.GetMpState().mp_state);
        Assert.Equal(KvmState.KVM_MP_STATE_UNINITIALIZED, other.GetMpState().mp_state);
    }

    [Fact]
    public void WithoutAnIrqchipEveryProcessorRuns()
    {
        using var guest = new Guest([0xF4]);
        using Vcpu other = guest.Vm.CreateVcpu(1);
        Assert.Equal(KvmState.KVM_MP_STATE_RUNNABLE, other.GetMpState().mp_state);
    }

    [Theory]
    [InlineData(KvmState.KVM_MP_STATE_UNINITIALIZED)]
    [InlineData(KvmState.KVM_MP_STATE_INIT_RECEIVED)]
    [InlineData(KvmState.KVM_MP_STATE_HALTED)]
    [InlineData(KvmState.KVM_MP_STATE_SIPI_RECEIVED)]
    public void OtherStatesNeedAnApicOfKvms(uint state)
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetMpState(new kvm_mp_state { mp_state = state })).Errno);
    }

    [Theory]
    [InlineData(KvmState.KVM_MP_STATE_RUNNABLE)]
    [InlineData(KvmState.KVM_MP_STATE_UNINITIALIZED)]
    [InlineData(KvmState.KVM_MP_STATE_INIT_RECEIVED)]
    [InlineData(KvmState.KVM_MP_STATE_HALTED)]
    public void WhatWasSetComesBack(uint state)
    {
        using var guest = new Guest([0xF4], irqchip: true);
        guest.Vcpu.SetMpState(new kvm_mp_state { mp_state = state });
        Assert.Equal(state, guest.Vcpu.GetMpState().mp_state);
    }

    [Theory]
    [InlineData(5u)]
    [InlineData(KvmState.KVM_MP_STATE_AP_RESET_HOLD)]
    [InlineData(uint.MaxValue)]
    public void UnknownOnesAreRefused(uint state)
    {
        using var guest = new Guest([0xF4], irqchip: true);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetMpState(new kvm_mp_state { mp_state = state })).Errno);
    }

    [Theory]
    [InlineData(KvmState.KVM_MP_STATE_INIT_RECEIVED)]
    [InlineData(KvmState.KVM_MP_STATE_SIPI_RECEIVED)]
    public void WaitingForSipiExcludesAnSmi(uint state)
    {
        using var guest = new Guest([0xF4], irqchip: true);
        guest.Vcpu.Smi();
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetMpState(new kvm_mp_state { mp_state = state })).Errno);
    }

    [Fact]
    public void SmmExcludesWaitingForSipi()
    {
        using var guest = new Guest([0xF4], irqchip: true);
        guest.Vcpu.SetMpState(new kvm_mp_state { mp_state = KvmState.KVM_MP_STATE_INIT_RECEIVED });
        var events = new kvm_vcpu_events { flags = KvmState.KVM_VCPUEVENT_VALID_SMM };
        events.smi.pending = 1;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetVcpuEvents(events)).Errno);
    }

    [Fact]
    public void ALatchedInitResetsBeforeTheStateIsRead()
    {
        using var guest = new Guest([0xF4], irqchip: true);
        using Vcpu other = guest.Vm.CreateVcpu(1);
        other.SetMpState(new kvm_mp_state { mp_state = KvmState.KVM_MP_STATE_RUNNABLE });
        var events = new kvm_vcpu_events { flags = KvmState.KVM_VCPUEVENT_VALID_SMM };
        events.smi.latched_init = 1;
        other.SetVcpuEvents(events);
        Assert.Equal(1, other.GetVcpuEvents().smi.latched_init);
        Assert.Equal(KvmState.KVM_MP_STATE_INIT_RECEIVED, other.GetMpState().mp_state);
        Assert.Equal(0, other.GetVcpuEvents().smi.latched_init);
    }
}
