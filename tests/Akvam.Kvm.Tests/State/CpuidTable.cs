using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>[KVM 4.20] [KVM 4.46]</summary>
public sealed class CpuidTable
{
    [Fact]
    public void WhatWasSetComesBackAndTheGuestReadsIt()
    {
        // mov eax, 40000000h; cpuid; out 1, ebx -- mov eax, ebx; out 1, eax; hlt
        using var guest = new Guest([0x66, 0xB8, 0x00, 0x00, 0x00, 0x40, 0x0F, 0xA2, 0x66, 0x89, 0xD8, 0x66, 0xE7, 0x01, 0xF4]);
        using var kvm = Kvm.Open();
        kvm_cpuid_entry2[] supported = kvm.GetSupportedCpuid();
        kvm_cpuid_entry2[] now = guest.Vcpu.GetCpuid2();
        Assert.Equal(supported.Length, now.Length);
        for (int i = 0; i < now.Length; i++)
        {
            AbiAssert.Equal(supported[i], now[i]);
        }

        Assert.Equal(0x4B4D_564Bu, guest.Vcpu.Run().Io.Value);
    }

    [Fact]
    public void OnceTheVcpuHasRunTheTableStaysAsItIs()
    {
        using var guest = new Guest([0xF4]);
        guest.Vcpu.Run();
        kvm_cpuid_entry2[] table = guest.Vcpu.GetCpuid2();
        guest.Vcpu.SetCpuid2(table);
        table[^1].edx ^= 1;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetCpuid2(table)).Errno);
    }

    [Fact]
    public void MoreThan256EntriesAreTooBig()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.E2BIG, Assert.Throws<KvmException>(() => guest.Vcpu.SetCpuid2(new kvm_cpuid_entry2[257])).Errno);
    }

    /// <summary>A processor without PKU has it nowhere, before there is a table as well.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ProtectionKeysAreEverywhereOrNowhere(bool keys)
    {
        using var kvm = Kvm.Open(protectionKeys: keys);
        kvm_cpuid_entry2[] supported = kvm.GetSupportedCpuid();
        Assert.Equal(keys, supported.Any(e => e is { function: 0xD, index: 9 }));
        Assert.Equal(keys, (supported.Single(e => e is { function: 7, index: 0 }).ecx & (1 << 3)) != 0);
        Assert.Equal(keys, (supported.Single(e => e is { function: 0xD, index: 0 }).eax & (1 << 9)) != 0);
        Assert.Equal(keys, (kvm.GetDeviceAttr(0, KvmState.KVM_X86_XCOMP_GUEST_SUPP) & (1 << 9)) != 0);

        using Vm vm = kvm.CreateVm();
        using Vcpu vcpu = vm.CreateVcpu();
        Refused(keys, () =>
        {
            kvm_sregs sregs = vcpu.GetSregs();
            sregs.cr4 |= 1 << 22;
            vcpu.SetSregs(in sregs);
        });
        Refused(keys, () =>
        {
            var area = new byte[Vcpu.XsaveSize];
            vcpu.GetXsave2(area);
            area[513] |= 1 << 1;
            vcpu.SetXsave(area);
        });
    }

    private static void Refused(bool allowed, Action action)
    {
        if (allowed)
        {
            action();
        }
        else
        {
            Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(action).Errno);
        }
    }
}
