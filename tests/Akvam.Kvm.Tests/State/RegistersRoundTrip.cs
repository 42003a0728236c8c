using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>KVM_GET_REGS gives what KVM_SET_REGS took. [KVM 4.11]</summary>
public sealed class RegistersRoundTrip
{
    [Fact]
    public void EveryRegisterComesBack()
    {
        using var guest = new Guest([0xF4]);
        var set = new kvm_regs();
        Span<ulong> words = MemoryMarshal.Cast<kvm_regs, ulong>(new Span<kvm_regs>(ref set));
        for (int i = 0; i < words.Length - 1; i++)
        {
            words[i] = 0x1111_2222_3333_0000ul + (ulong)i;
        }

        set.rflags = 0x246;
        guest.Vcpu.SetRegs(set);
        AbiAssert.Equal(set, guest.Vcpu.GetRegs());
    }

    [Fact]
    public void Bit1OfRflagsIsAlwaysSet()
    {
        using var guest = new Guest([0xF4]);
        guest.Vcpu.SetRegs(new kvm_regs { rflags = 0 });
        Assert.Equal(2ul, guest.Vcpu.GetRegs().rflags);
    }
}
