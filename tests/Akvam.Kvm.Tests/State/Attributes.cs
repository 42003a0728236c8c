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
