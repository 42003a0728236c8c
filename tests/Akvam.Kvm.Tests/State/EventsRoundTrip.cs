using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS; semantics.md section 7.2. [KVM 4.31]</summary>
public sealed class EventsRoundTrip
{
    private const uint Smm = KvmState.KVM_VCPUEVENT_VALID_SMM, Shadow = KvmState.KVM_VCPUEVENT_VALID_SHADOW, NmiPending = KvmState.KVM_VCPUEVENT_VALID_NMI_PENDING;

    [Fact]
    public void GetAlwaysReportsNmiShadowAndSmm()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Smm | Shadow | NmiPending, guest.Vcpu.GetVcpuEvents().flags);
    }

    [Fact]
    public void WhatWasSetComesBack()
    {
        using var guest = new Guest([0xF4]);
        var set = new kvm_vcpu_events { flags = Smm | Shadow | NmiPending };
        set.nmi.masked = 1;
        set.nmi.pending = 1;
        set.interrupt.shadow = KvmState.KVM_X86_SHADOW_INT_MOV_SS;
        set.smi.smm = 1;
        set.smi.smm_inside_nmi = 1;
        set.smi.pending = 1;
        guest.Vcpu.SetVcpuEvents(set);
        AbiAssert.Equal(set, guest.Vcpu.GetVcpuEvents());
    }

    [Fact]
    public void PartsWithoutTheirFlagStayButTheNmiMaskIsAlwaysTaken()
    {
        using var guest = new Guest([0xF4]);
        var set = new kvm_vcpu_events { flags = Smm | Shadow | NmiPending };
        set.nmi.pending = 1;
        set.interrupt.shadow = KvmState.KVM_X86_SHADOW_INT_STI;
        set.smi.pending = 1;
        guest.Vcpu.SetVcpuEvents(set);

        var other = new kvm_vcpu_events();
        other.nmi.masked = 1;
        guest.Vcpu.SetVcpuEvents(other);
        kvm_vcpu_events now = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(1, now.nmi.pending);
        Assert.Equal(KvmState.KVM_X86_SHADOW_INT_STI, now.interrupt.shadow);
        Assert.Equal(1, now.smi.pending);
        Assert.Equal(1, now.nmi.masked);
    }

    [Fact]
    public void InsideNmiMeansNothingOutsideSmm()
    {
        using var guest = new Guest([0xF4]);
        var set = new kvm_vcpu_events { flags = Smm };
        set.smi.smm_inside_nmi = 1;
        guest.Vcpu.SetVcpuEvents(set);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.smm_inside_nmi);
    }

    [Theory]
    [InlineData(1u << 7, 0, 0)]
    [InlineData(KvmState.KVM_VCPUEVENT_VALID_PAYLOAD, 0, 0)]
    [InlineData(KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT, 0, 0)]
    [InlineData(0u, 1, 2)]
    [InlineData(0u, 1, 32)]
    public void WrongOnesAreRefusedAndChangeNothing(uint flags, byte injected, byte vector)
    {
        using var guest = new Guest([0xF4]);
        kvm_vcpu_events before = guest.Vcpu.GetVcpuEvents();
        var set = new kvm_vcpu_events { flags = flags };
        set.exception.injected = injected;
        set.exception.nr = vector;
        set.nmi.masked = 1;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetVcpuEvents(set)).Errno);
        AbiAssert.Equal(before, guest.Vcpu.GetVcpuEvents());
    }

    [Fact]
    public void PayloadAndTripleFaultComeWithTheirCapabilities()
    {
        using var guest = new Guest([0xF4]);
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_EXCEPTION_PAYLOAD };
        cap.args[0] = 1;
        guest.Vm.EnableCap(cap);
        cap.cap = KvmCap.KVM_CAP_X86_TRIPLE_FAULT_EVENT;
        guest.Vm.EnableCap(cap);

        var set = new kvm_vcpu_events { flags = guest.Vcpu.GetVcpuEvents().flags };
        Assert.Equal(KvmState.KVM_VCPUEVENT_VALID_PAYLOAD | KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT, set.flags & ~(Smm | Shadow | NmiPending));
        set.exception.pending = 1;
        set.exception.nr = 14;
        set.exception.has_error_code = 1;
        set.exception.error_code = 6;
        set.exception_has_payload = 1;
        set.exception_payload = 0x1234_5000;
        set.triple_fault.pending = 1;
        guest.Vcpu.SetVcpuEvents(set);
        AbiAssert.Equal(set, guest.Vcpu.GetVcpuEvents());

        // A pending exception does not survive KVM_SET_REGS; one in delivery does.
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs());
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().exception.pending);
    }

    [Fact]
    public void ATripleFaultFromUserSpaceIsAShutdown()
    {
        using var guest = new Guest([0xF4]);
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_X86_TRIPLE_FAULT_EVENT };
        cap.args[0] = 1;
        guest.Vm.EnableCap(cap);
        var set = new kvm_vcpu_events { flags = KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT };
        set.triple_fault.pending = 1;
        guest.Vcpu.SetVcpuEvents(set);
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, guest.Vcpu.Run().Reason);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().triple_fault.pending);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }
}
