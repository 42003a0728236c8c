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
}
