using Akvam.Abi;

namespace Akvam.KvmTests.Capabilities;

/// <summary>[KVM 4.37] Small capabilities that KVM_ENABLE_CAP switches on or off.</summary>
public sealed class Enabling
{
    /// <summary>mov ecx, 0CEh; rdmsr; hlt, and #GP ends at 1100h.</summary>
    [Theory]
    [InlineData(1, 0x100Aul)]
    [InlineData(0, 0x1101ul)]
    public void PlatformInfoIsTheGuestsToRead(ulong enabled, ulong rip)
    {
        using var guest = new Guest([0x66, 0xB9, 0xCE, 0x00, 0x00, 0x00, 0x0F, 0x32, 0x90, 0xF4]);
        guest.Write(0x1100, [0xF4]);
        guest.Write(13 * 4, [0x00, 0x11, 0, 0]);
        guest.Vm.EnableCap(Cap(KvmCap.KVM_CAP_MSR_PLATFORM_INFO, enabled));
        guest.Vcpu.Run();
        Assert.Equal(rip, guest.Vcpu.GetRegs().rip);

        Span<kvm_msr_entry> entry = [new kvm_msr_entry { index = 0xCE }];
        Assert.Equal(1, guest.Vcpu.GetMsrs(entry));
    }

    [Fact]
    public void VcpuNumbersAreLimitedOnce()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => vm.EnableCap(Cap(KvmCap.KVM_CAP_MAX_VCPU_ID, Vm.MaxVcpuId + 1))));
        vm.EnableCap(Cap(KvmCap.KVM_CAP_MAX_VCPU_ID, 2));
        vm.EnableCap(Cap(KvmCap.KVM_CAP_MAX_VCPU_ID, 2));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => vm.EnableCap(Cap(KvmCap.KVM_CAP_MAX_VCPU_ID, 3))));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => vm.CreateVcpu(2)));
        vm.CreateVcpu(1);
    }

    [Fact]
    public void FeaturesThatCpuidDoesNotAnnounceAreNotThere()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        Vcpu vcpu = vm.CreateVcpu();
        kvm_cpuid_entry2[] table = Array.FindAll(kvm.GetSupportedCpuid(), e => e.function != KvmPara.KVM_CPUID_FEATURES);
        vcpu.SetCpuid2(table);
        kvm_msr_entry[] clock = [new() { index = KvmPara.MSR_KVM_SYSTEM_TIME_NEW, data = 0x2000 }];
        Assert.Equal(1, vcpu.SetMsrs(clock));
        vcpu.EnableCap(Cap(KvmCap.KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1));
        Assert.Equal(0, vcpu.SetMsrs(clock));
        vcpu.SetCpuid2(kvm.GetSupportedCpuid());
        Assert.Equal(1, vcpu.SetMsrs(clock));
    }

    /// <summary>Code where there is no memory: of a program it is #UD (here without a handler), unless the client wants to know of it.</summary>
    [Theory]
    [InlineData(0, 0ul, KvmExit.KVM_EXIT_INTERNAL_ERROR)]
    [InlineData(3, 0ul, KvmExit.KVM_EXIT_SHUTDOWN)]
    [InlineData(3, 1ul, KvmExit.KVM_EXIT_INTERNAL_ERROR)]
    public void WhatCannotBeExecuted(int cpl, ulong enabled, uint expected)
    {
        using var guest = new Guest([0xF4]);
        guest.Vm.EnableCap(Cap(KvmCap.KVM_CAP_EXIT_ON_EMULATION_FAILURE, enabled));
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl));
        guest.Vcpu.SetRegs(new kvm_regs { rip = 0x2_0000, rsp = 0x8000, rflags = 2 });
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(expected, exit.Reason);
        if (expected == KvmExit.KVM_EXIT_INTERNAL_ERROR)
        {
            Assert.Equal(KvmExit.KVM_INTERNAL_ERROR_EMULATION, exit.InternalError.suberror);
            Assert.Equal(0x2_0000ul, guest.Vcpu.GetRegs().rip);
        }
    }

    [Fact]
    public void TheVcpuRefusesTheVmsCapabilities()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => guest.Vcpu.EnableCap(Cap(KvmCap.KVM_CAP_EXCEPTION_PAYLOAD, 1))));
    }

    [Fact]
    public void ShadowPagesAreCheckedAndKept()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => guest.Vm.SetNrMmuPages(63)));
        guest.Vm.SetNrMmuPages(64);
        Assert.Equal(64u, guest.Vm.GetNrMmuPages());
    }

    private static kvm_enable_cap Cap(uint number, ulong argument)
    {
        var cap = new kvm_enable_cap { cap = number };
        cap.args[0] = argument;
        return cap;
    }

    private static Errno ErrnoOf(Action action) => Assert.Throws<KvmException>(action).Errno;
}
