using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>A new vCPU is a processor after RESET. [SDM3 table 9-1]</summary>
public sealed class ResetState
{
    [Fact]
    public void ExecutionStartsBelow4GiB()
    {
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        using Vcpu vcpu = vm.CreateVcpu();
        kvm_sregs sregs = vcpu.GetSregs();
        Assert.Equal(0xF000, sregs.cs.selector);
        Assert.Equal(0xFFFF_0000ul, sregs.cs.@base);
        Assert.Equal(0xFFF0ul, vcpu.GetRegs().rip);
        Assert.Equal(0x6000_0010ul, sregs.cr0);
        Assert.Equal(0ul, sregs.cr4);
        Assert.Equal(0ul, sregs.efer);
        Assert.Equal(0xFEE0_0900ul, sregs.apic_base);
    }
}
