using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>[KVM 4.33] [KVM 4.34]</summary>
public sealed class DebugRegisters
{
    [Fact]
    public void TheyComeBack()
    {
        using var guest = new Guest([0xF4]);
        kvm_debugregs regs = guest.Vcpu.GetDebugregs();
        Assert.Equal(0xFFFF_0FF0ul, regs.dr6);
        Assert.Equal(0x400ul, regs.dr7);
        for (int i = 0; i < 4; i++)
        {
            regs.db[i] = 0x1000ul * (ulong)(i + 1);
        }

        regs.dr7 = 0x455;
        regs.dr6 = 0xFFFF_4FF1;
        guest.Vcpu.SetDebugregs(regs);
        AbiAssert.Equal(regs, guest.Vcpu.GetDebugregs());
    }

    [Fact]
    public void HighHalvesAndFlagsAreRefused()
    {
        using var guest = new Guest([0xF4]);
        kvm_debugregs before = guest.Vcpu.GetDebugregs();
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetDebugregs(before with { dr6 = 1ul << 32 })).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetDebugregs(before with { dr7 = 1ul << 32 })).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetDebugregs(before with { flags = 1 })).Errno);
        AbiAssert.Equal(before, guest.Vcpu.GetDebugregs());
    }
}
