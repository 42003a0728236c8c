using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>KVM_GET_DEVICE_ATTR on the system and on a vCPU, and the CPUID leaves of the emulator. [KVM 4.80] [KVM 4.88]</summary>
public sealed class Attributes
{
    [Fact]
    public void TheSystemSaysWhichStateAGuestMayHave()
    {
        using Kvm kvm = Kvm.Open();
        kvm_cpuid_entry2 leaf = kvm.GetSupportedCpuid().Single(e => e is { function: 0xD, index: 0 });
        Assert.Equal(leaf.eax | ((ulong)leaf.edx << 32), kvm.GetDeviceAttr(0, KvmState.KVM_X86_XCOMP_GUEST_SUPP));
        Assert.NotEqual(0u, leaf.eax);
        Assert.False(kvm.HasDeviceAttr(1, 0));
        Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => kvm.GetDeviceAttr(0, 1)).Errno);
    }

    [Fact]
    public void TheOffsetOfATscMovesTheGuestsTsc()
    {
        var clock = new Time.ManualClock();
        using var guest = new Guest([0xF4], options: new VmOptions { Clock = clock });
        ulong before = Tsc(guest);
        ulong offset = guest.Vcpu.GetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET);
        guest.Vcpu.SetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET, offset + 1000);
        Assert.Equal(before + 1000, Tsc(guest));
        Assert.Equal(offset + 1000, guest.Vcpu.GetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET));
        Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => guest.Vcpu.SetDeviceAttr(0, 1, 0)).Errno);
    }

    /// <summary>The way of [KVM vcpu.rst 4.1] into another VM: its TSC has gone on by the time that kvmclock says has passed.</summary>
    [Theory]
    [InlineData(1_000_000u)]
    [InlineData(2_500_000u)]
    public void ATscIsCarriedOverByItsOffset(uint khz)
    {
        var clock = new Time.ManualClock { NowNs = 123_456_789_000 };
        var options = new VmOptions { Clock = clock };
        using var old = new Guest([0xF4], options: options);
        old.Vcpu.SetTscKhz(khz);
        clock.NowNs += 7_000_000;
        old.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x10, data = 1ul << 40 }]);
        ulong offset = old.Vcpu.GetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET);
        kvm_clock_data source = old.Vm.GetClock();

        clock.NowNs += 50_000_000;
        using var @new = new Guest([0xF4], options: options);
        @new.Vcpu.SetTscKhz(khz);
        clock.NowNs += 3_000_000;
        kvm_clock_data destination = @new.Vm.GetClock();
        source.flags = 0;
        source.clock += 53_000_000;
        @new.Vm.SetClock(in source);
        ulong passed = @new.Vm.GetClock().clock - (source.clock - 53_000_000);
        ulong ratio = khz / 100_000;
        ulong carried = (source.host_tsc * ratio / 10) + offset + (passed * ratio / 10) - (destination.host_tsc * ratio / 10);
        @new.Vcpu.SetDeviceAttr(KvmState.KVM_VCPU_TSC_CTRL, KvmState.KVM_VCPU_TSC_OFFSET, carried);
        Assert.Equal((1ul << 40) + (53_000_000 * ratio / 10), Tsc(@new));
        Assert.Equal(Tsc(old), Tsc(@new));
    }

    [Fact]
    public void EmulatedFeaturesAreOfferedToo()
    {
        using Kvm kvm = Kvm.Open();
        kvm_cpuid_entry2[] supported = kvm.GetSupportedCpuid();
        foreach (kvm_cpuid_entry2 e in kvm.GetEmulatedCpuid().Where(e => e.function != 0))
        {
            kvm_cpuid_entry2 s = supported.Single(x => x.function == e.function && x.index == e.index);
            Assert.NotEqual(0u, e.ecx);
            Assert.Equal(e.ecx, e.ecx & s.ecx);
        }
    }

    private static ulong Tsc(Guest guest)
    {
        var entries = new kvm_msr_entry[] { new() { index = 0x10 } };
        Assert.Equal(1, guest.Vcpu.GetMsrs(entries));
        return entries[0].data;
    }
}
