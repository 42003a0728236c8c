using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>KVM_CAP_SYNC_REGS. [KVM 6.74]</summary>
public sealed class SharedRegisters
{
    // inc bx; hlt
    private static readonly byte[] s_code = [0x43, 0xF4];

    [Fact]
    public void AskedForClassesAreCopiedAtAnExit()
    {
        using var guest = new Guest(s_code);
        ref kvm_run run = ref guest.Vcpu.RunPage;
        run.kvm_valid_regs = KvmExit.KVM_SYNC_X86_VALID_FIELDS;
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, run.s.regs.regs.rbx);
        AbiAssert.Equal(guest.Vcpu.GetRegs(), run.s.regs.regs);
        AbiAssert.Equal(guest.Vcpu.GetSregs(), run.s.regs.sregs);
        AbiAssert.Equal(guest.Vcpu.GetVcpuEvents(), run.s.regs.events);
    }

    [Fact]
    public void OthersAreLeftAlone()
    {
        using var guest = new Guest(s_code);
        ref kvm_run run = ref guest.Vcpu.RunPage;
        run.kvm_valid_regs = KvmExit.KVM_SYNC_X86_SREGS;
        run.s.regs.regs.rbx = 77;
        guest.Vcpu.Run();
        Assert.Equal(77ul, run.s.regs.regs.rbx);
    }

    [Fact]
    public void ChangedClassesAreLoadedOnce()
    {
        using var guest = new Guest(s_code);
        ref kvm_run run = ref guest.Vcpu.RunPage;
        run.s.regs.regs = guest.Vcpu.GetRegs() with { rbx = 0x10 };
        run.kvm_dirty_regs = KvmExit.KVM_SYNC_X86_REGS;
        guest.Vcpu.Run();
        Assert.Equal(0x11ul, guest.Vcpu.GetRegs().rbx);
        Assert.Equal(0ul, run.kvm_dirty_regs);
    }

    [Fact]
    public void ClassesThatDoNotExistAreRefused()
    {
        using var guest = new Guest(s_code);
        guest.Vcpu.RunPage.kvm_valid_regs = 8;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.Run()).Errno);
        guest.Vcpu.RunPage.kvm_valid_regs = 0;
        guest.Vcpu.RunPage.kvm_dirty_regs = 8;
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.Run()).Errno);
        guest.Vcpu.RunPage.kvm_dirty_regs = KvmExit.KVM_SYNC_X86_SREGS;
        guest.Vcpu.RunPage.s.regs.sregs = guest.Vcpu.GetSregs() with { cr0 = 0x8000_0000 };
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.Run()).Errno);
    }
}
