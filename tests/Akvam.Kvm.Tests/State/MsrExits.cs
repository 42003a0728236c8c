using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>MSRs that the client answers or forbids. [KVM 4.97] [KVM 7.21]</summary>
public sealed class MsrExits
{
    private const uint NoSuchMsr = 0x4B56_0000;
    private const uint SysenterCs = 0x174;

    // mov ecx, msr; rdmsr; hlt
    private static Guest Reads(uint msr) => Create([0x66, 0xB9, .. BitConverter.GetBytes(msr), 0x0F, 0x32, 0xF4]);

    // mov ecx, msr; mov eax, 1234h; mov edx, 5; wrmsr; hlt
    private static Guest Writes(uint msr) =>
        Create([0x66, 0xB9, .. BitConverter.GetBytes(msr), 0x66, 0xB8, 0x34, 0x12, 0, 0, 0x66, 0xBA, 5, 0, 0, 0, 0x0F, 0x30, 0xF4]);

    // #GP: out 13, al; hlt
    private static Guest Create(byte[] code)
    {
        var guest = new Guest(code);
        guest.Write(0x3000, [0xE6, 13, 0xF4]);
        guest.Write(13 * 4, [0x00, 0x30, 0x00, 0x00]);
        return guest;
    }

    private static void Enable(Guest guest, ulong reasons)
    {
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_X86_USER_SPACE_MSR };
        cap.args[0] = reasons;
        guest.Vm.EnableCap(cap);
    }

    private static MsrFilterRange Deny(uint msr, uint flags = KvmState.KVM_MSR_FILTER_READ | KvmState.KVM_MSR_FILTER_WRITE) => new(flags, msr, 1, new byte[8]);

    private static void AssertFaults(Guest guest) => Assert.Equal(13, guest.Vcpu.Run().Io.Port);

    [Fact]
    public void AnUnknownMsrIsAnsweredByTheClient()
    {
        using Guest guest = Reads(NoSuchMsr);
        Enable(guest, KvmExit.KVM_MSR_EXIT_REASON_UNKNOWN);
        Assert.Equal(KvmExit.KVM_EXIT_X86_RDMSR, guest.Vcpu.Run().Reason);
        Assert.Equal(KvmExit.KVM_MSR_EXIT_REASON_UNKNOWN, guest.Vcpu.RunPage.msr.reason);
        Assert.Equal(NoSuchMsr, guest.Vcpu.RunPage.msr.index);
        Assert.Equal(Guest.CodeAddress + 6, guest.Vcpu.GetRegs().rip);
        guest.Vcpu.RunPage.msr.data = 0x0000_0007_0000_0009;
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(9ul, guest.Vcpu.GetRegs().rax);
        Assert.Equal(7ul, guest.Vcpu.GetRegs().rdx);
    }

    [Fact]
    public void AnErrorOfTheClientIsAFault()
    {
        using Guest guest = Writes(NoSuchMsr);
        Enable(guest, KvmExit.KVM_MSR_EXIT_REASON_UNKNOWN);
        Assert.Equal(KvmExit.KVM_EXIT_X86_WRMSR, guest.Vcpu.Run().Reason);
        Assert.Equal(0x5_0000_1234ul, guest.Vcpu.RunPage.msr.data);
        guest.Vcpu.RunPage.msr.error = 1;
        AssertFaults(guest);
    }

    [Fact]
    public void AReasonThatWasNotAskedForIsAFault()
    {
        using Guest guest = Reads(NoSuchMsr);
        Enable(guest, KvmExit.KVM_MSR_EXIT_REASON_INVAL | KvmExit.KVM_MSR_EXIT_REASON_FILTER);
        AssertFaults(guest);
    }

    [Fact]
    public void AValueThatTheMsrDoesNotTakeIsInvalid()
    {
        using Guest guest = Writes(0x277);
        Enable(guest, KvmExit.KVM_MSR_EXIT_REASON_INVAL);
        Assert.Equal(KvmExit.KVM_EXIT_X86_WRMSR, guest.Vcpu.Run().Reason);
        Assert.Equal(KvmExit.KVM_MSR_EXIT_REASON_INVAL, guest.Vcpu.RunPage.msr.reason);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void AForbiddenMsrIsAFault()
    {
        using Guest guest = Writes(SysenterCs);
        guest.Vm.SetMsrFilter(0, [Deny(SysenterCs)]);
        AssertFaults(guest);
    }

    [Fact]
    public void AForbiddenMsrIsAnExitWhereThatIsAskedFor()
    {
        using Guest guest = Writes(SysenterCs);
        guest.Vm.SetMsrFilter(0, [Deny(SysenterCs)]);
        Enable(guest, KvmExit.KVM_MSR_EXIT_REASON_FILTER);
        Assert.Equal(KvmExit.KVM_EXIT_X86_WRMSR, guest.Vcpu.Run().Reason);
        Assert.Equal(KvmExit.KVM_MSR_EXIT_REASON_FILTER, guest.Vcpu.RunPage.msr.reason);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        var entries = new kvm_msr_entry[] { new() { index = SysenterCs } };
        Assert.Equal(1, guest.Vcpu.GetMsrs(entries));
        Assert.Equal(0ul, entries[0].data);
    }

    [Fact]
    public void WhatNoRangeDecidesFollowsTheDefault()
    {
        using Guest guest = Reads(SysenterCs);
        guest.Vm.SetMsrFilter(KvmState.KVM_MSR_FILTER_DEFAULT_DENY, [new(KvmState.KVM_MSR_FILTER_READ, 0x10, 1, new byte[8])]);
        AssertFaults(guest);
        using Guest other = Reads(SysenterCs);
        other.Vm.SetMsrFilter(KvmState.KVM_MSR_FILTER_DEFAULT_DENY, [new(KvmState.KVM_MSR_FILTER_READ, SysenterCs - 8, 9, new byte[] { 0, 1, 0, 0, 0, 0, 0, 0 })]);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, other.Vcpu.Run().Reason);
    }

    [Fact]
    public void OnlyTheNamedKindOfAccessIsForbidden()
    {
        using Guest guest = Reads(SysenterCs);
        guest.Vm.SetMsrFilter(0, [Deny(SysenterCs, KvmState.KVM_MSR_FILTER_WRITE)]);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void RequestsThatMeanNothingAreRefused()
    {
        using Guest guest = Reads(SysenterCs);
        Errno Refused(uint flags, params MsrFilterRange[] ranges) => Assert.Throws<KvmException>(() => guest.Vm.SetMsrFilter(flags, ranges)).Errno;
        Assert.Equal(Errno.EINVAL, Refused(2));
        Assert.Equal(Errno.EINVAL, Refused(KvmState.KVM_MSR_FILTER_DEFAULT_DENY));
        Assert.Equal(Errno.EINVAL, Refused(0, Deny(1, flags: 0)));
        Assert.Equal(Errno.EINVAL, Refused(0, Deny(1, flags: 4)));
        Assert.Equal(Errno.EINVAL, Refused(0, new MsrFilterRange(1, 0, 65, new byte[8])));
        Assert.Equal(Errno.EINVAL, Refused(0, new MsrFilterRange(1, 0, uint.MaxValue, new byte[0x800])));
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => Enable(guest, 8)).Errno);
    }
}
