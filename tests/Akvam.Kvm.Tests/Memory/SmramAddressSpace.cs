using Akvam.Abi;

namespace Akvam.KvmTests.Memory;

/// <summary>A processor in SMM sees address space 1, the others 0; semantics.md section 7.3.</summary>
public sealed class SmramAddressSpace
{
    [Fact]
    public void AnSmiRunsCodeOfItsOwnSpaceAndReportsThatItIsInSmm()
    {
        // Outside: l: out 10h, al; jmp l
        using var guest = new Guest([0xE6, 0x10, 0xEB, 0xFC]);
        GuestMemory smram = guest.Vm.AllocateMemory(0x5_0000);
        guest.Vm.MapMemory(1 << 16, 0, smram);

        // Inside, at SMBASE + 8000h: out 20h, al; rsm
        guest.Vm.WriteMemory(0x3_8000, [0xE6, 0x20, 0x0F, 0xAA], space: 1);

        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(0x10, exit.Io.Port);
        Assert.False(exit.InSmm);

        guest.Vcpu.Smi();
        exit = guest.Vcpu.Run();
        Assert.Equal(0x20, exit.Io.Port);
        Assert.True(exit.InSmm);
        Assert.Equal(1, guest.Vcpu.GetVcpuEvents().smi.smm);

        exit = guest.Vcpu.Run();
        Assert.Equal(0x10, exit.Io.Port);
        Assert.False(exit.InSmm);
        Assert.Equal(0, guest.Vcpu.GetVcpuEvents().smi.smm);
    }

    [Fact]
    public void WithoutMemoryAtSmramTheMachineIsDead()
    {
        using var guest = new Guest([0xE6, 0x10, 0xF4]);
        guest.Vcpu.Run();
        guest.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_INTERNAL_ERROR, guest.Vcpu.Run().Reason);
        Assert.Equal(Errno.EIO, Assert.Throws<KvmException>(() => guest.Vcpu.Run()).Errno);
    }
}
