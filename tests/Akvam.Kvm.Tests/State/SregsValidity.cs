using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>KVM_SET_SREGS refuses what no processor of this CPUID can be in, and changes nothing then.</summary>
public sealed class SregsValidity
{
    public delegate void Change(ref kvm_sregs sregs);

    public static TheoryData<string> Wrong => new(Changes.Keys);

    private static readonly Dictionary<string, Change> Changes = new()
    {
        ["CR0 above bit 31"] = (ref kvm_sregs s) => s.cr0 |= 1ul << 32,
        ["NW without CD"] = (ref kvm_sregs s) => s.cr0 |= 1ul << 29,
        ["PG without PE"] = (ref kvm_sregs s) => s.cr0 &= ~1ul,
        ["a reserved bit of CR4"] = (ref kvm_sregs s) => s.cr4 |= 1ul << 31,
        ["VMXE without VMX in CPUID"] = (ref kvm_sregs s) => s.cr4 |= 1ul << 13,
        ["a reserved bit of EFER"] = (ref kvm_sregs s) => s.efer |= 1ul << 9,
        ["long mode without PAE"] = (ref kvm_sregs s) => s.cr4 &= ~0x20ul,
        ["long mode without LMA"] = (ref kvm_sregs s) => s.efer &= ~0x400ul,
        ["LMA without paging"] = (ref kvm_sregs s) => s.cr0 &= ~0x8000_0000ul,
        ["CR3 beyond the physical address width"] = (ref kvm_sregs s) => s.cr3 |= 1ul << 55,
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void IsRefused(string what)
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs good = LongMode.Sregs(guest, cpl: 0);
        guest.Vcpu.SetSregs(good);
        good = guest.Vcpu.GetSregs();

        kvm_sregs bad = good;
        Changes[what](ref bad);
        bad.cr2 = 0xDEAD;
        var error = Assert.Throws<KvmException>(() => guest.Vcpu.SetSregs(bad));
        Assert.Equal(Errno.EINVAL, error.Errno);
        AbiAssert.Equal(good, guest.Vcpu.GetSregs());
    }

    [Fact]
    public void A64BitCodeSegmentNeedsLongMode()
    {
        using var guest = new Guest([0xF4]);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.cs.l = 1;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetSregs(sregs)).Errno);
    }

    [Fact]
    public void SvmeNeedsSvmInCpuid()
    {
        using var guest = new Guest([0xF4]);
        kvm_cpuid_entry2[] cpuid = guest.Vcpu.GetCpuid2();
        foreach (ref kvm_cpuid_entry2 e in cpuid.AsSpan())
        {
            e.ecx &= e.function == 0x8000_0001 ? ~(1u << 2) : uint.MaxValue;
        }

        guest.Vcpu.SetCpuid2(cpuid);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.efer |= 1 << 12;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetSregs(sregs)).Errno);
    }
}
