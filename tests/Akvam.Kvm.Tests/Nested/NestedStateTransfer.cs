using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>KVM_GET_NESTED_STATE and KVM_SET_NESTED_STATE. semantics.md 4.9. [KVM 4.114] [KVM 4.115]</summary>
public sealed class NestedStateTransfer
{
    /// <summary>out 80h,al; vmmcall</summary>
    private static readonly byte[] L2 = [0xE6, 0x80, 0x0F, 0x01, 0xD9];

    [Fact]
    public void L2GoesOnInAnotherVm()
    {
        using var from = new Hypervisor(L2);
        Assert.Equal(KvmExit.KVM_EXIT_IO, from.Vcpu.Run().Reason);
        Complete(from);
        byte[] state = from.Vcpu.GetNestedState();
        Assert.Equal(Vcpu.NestedStateSize, state.Length);

        using var to = new Hypervisor([0xF4]);
        to.Guest.Write(0x1000, from.Guest.Read(0x1000, 0xE000));
        to.Vcpu.SetRegs(from.Vcpu.GetRegs());
        to.Vcpu.SetSregs(from.Vcpu.GetSregs());
        to.Vcpu.SetNestedState(state);
        Assert.Equal(state, to.Vcpu.GetNestedState());

        // What is in guest memory does not matter to L2 that runs.
        VmcbControl c = to.Control;
        c.Asid = 0;
        to.Control = c;
        c = to.RunToExit();
        Assert.Equal(SvmExitCode.Vmmcall, c.ExitCode);
        Assert.Equal(Hypervisor.L2Code + 2, to.Save.Rip);
        Assert.Equal(Hypervisor.AfterVmrun + 1, to.Vcpu.GetRegs().rip);
    }

    [Fact]
    public void OutsideGuestModeThereIsAHeaderAlone()
    {
        using var h = new Hypervisor(L2);
        byte[] state = h.Vcpu.GetNestedState();
        Assert.Equal(128, state.Length);
        var header = MemoryMarshal.Read<kvm_nested_state>(state);
        Assert.Equal((KvmState.KVM_STATE_NESTED_GIF_SET, KvmState.KVM_STATE_NESTED_FORMAT_SVM, 128u), (header.flags, header.format, header.size));
    }

    public delegate void Change(ref kvm_nested_state header, ref VmcbControl control, ref VmcbSave host);

    public static TheoryData<string> Wrong => new(Changes.Keys);

    private static readonly Dictionary<string, Change> Changes = new()
    {
        ["format of VMX"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.format = KvmState.KVM_STATE_NESTED_FORMAT_VMX,
        ["unknown flag"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.flags |= 0x200,
        ["VMX's flag"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.flags |= KvmState.KVM_STATE_NESTED_EVMCS,
        ["pending without guest mode"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.flags = KvmState.KVM_STATE_NESTED_RUN_PENDING,
        ["VMCB not on a page"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.hdr.svm.vmcb_pa |= 8,
        ["VMCB beyond the address width"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => n.hdr.svm.vmcb_pa |= 1ul << 50,
        ["ASID 0"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => c.Asid = 0,
        ["L1 without paging"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => s.Cr0 &= 0x7FFF_FFFF,
        ["L1 in virtual-8086 mode"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => s.Rflags |= 1 << 17,
        ["L1 without SVME"] = static (ref kvm_nested_state n, ref VmcbControl c, ref VmcbSave s) => s.Efer &= ~(1ul << 12),
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void WhatVmrunWouldRefuseIsRefused(string what)
    {
        using var h = new Hypervisor(L2);
        h.Vcpu.Run();
        byte[] good = h.Vcpu.GetNestedState(), bad = [.. good];
        Changes[what](
            ref MemoryMarshal.AsRef<kvm_nested_state>(bad.AsSpan()),
            ref MemoryMarshal.AsRef<VmcbControl>(bad.AsSpan(128)),
            ref MemoryMarshal.AsRef<VmcbSave>(bad.AsSpan(128 + VmcbSave.Offset)));
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => h.Vcpu.SetNestedState(bad)).Errno);
        Assert.Equal(good, h.Vcpu.GetNestedState());
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    [Fact]
    public void GuestModeNeedsSvmeFirst()
    {
        using var h = new Hypervisor(L2);
        h.Vcpu.Run();
        byte[] state = h.Vcpu.GetNestedState();
        using var to = new Hypervisor(L2);
        kvm_sregs sregs = to.Vcpu.GetSregs();
        sregs.efer &= ~(1ul << 12);
        to.Vcpu.SetSregs(sregs);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => to.Vcpu.SetNestedState(state)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => to.Vcpu.SetNestedState(state.AsSpan(0, 200))).Errno);
    }

    [Fact]
    public void TakingSvmeAwayEndsGuestModeWithoutAnExit()
    {
        using var h = new Hypervisor(L2);
        h.Vcpu.Run();
        kvm_sregs sregs = h.Vcpu.GetSregs();
        sregs.efer &= ~(1ul << 12);
        h.Vcpu.SetSregs(sregs);
        Assert.False(h.InGuest);
        Assert.Equal(0ul, h.Control.ExitCode);
    }

    [Fact]
    public void ItIsOfferedOnRequestOnly()
    {
        using var with = Kvm.Open(nested: true);
        using var without = Kvm.Open(nested: false);
        Assert.Equal(4224, with.CheckExtension(KvmCap.KVM_CAP_NESTED_STATE));
        Assert.Equal(0, without.CheckExtension(KvmCap.KVM_CAP_NESTED_STATE));
        Assert.Equal((4u, 0u), (Svm(with), Svm(without)));
    }

    private static uint Svm(Kvm kvm) => kvm.GetSupportedCpuid().Single(e => e.function == 0x8000_0001).ecx & 4;

    /// <summary>Lets the port access finish, without a step further.</summary>
    private static void Complete(Hypervisor h)
    {
        h.Vcpu.RunPage.immediate_exit = 1;
        h.Vcpu.Run();
        h.Vcpu.RunPage.immediate_exit = 0;
    }
}
