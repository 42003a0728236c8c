using Akvam.Abi;

namespace Akvam.KvmTests.Running;

/// <summary>[KVM 5 KVM_EXIT_IO]</summary>
public sealed class PortExits
{
    [Fact]
    public void OutShowsPortSizeAndData()
    {
        // mov dx, 3f8h; mov ax, 1234h; out dx, ax; hlt
        using var guest = new Guest([0xBA, 0xF8, 0x03, 0xB8, 0x34, 0x12, 0xEF, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.True(exit.Io.IsWrite);
        Assert.Equal(0x3F8, exit.Io.Port);
        Assert.Equal(2, exit.Io.Size);
        Assert.Equal(1, exit.Io.Count);
        Assert.Equal<byte>([0x34, 0x12], exit.Io.Data.ToArray());
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void InTakesTheAnswerOfTheClient()
    {
        // mov dx, 60h; in al, dx; out 61h, al; hlt
        using var guest = new Guest([0xBA, 0x60, 0x00, 0xEC, 0xE6, 0x61, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.False(exit.Io.IsWrite);
        Assert.Equal(1, exit.Io.Size);
        exit.Io.Reply(0x5A);

        exit = guest.Vcpu.Run();
        Assert.Equal(0x61, exit.Io.Port);
        Assert.Equal(0x5Au, exit.Io.Value);
    }

    [Fact]
    public void ImmediateExitFinishesTheInAndNothingElse()
    {
        // in al, 60h; inc bx; hlt
        using var guest = new Guest([0xE4, 0x60, 0x43, 0xF4]);
        VcpuExit exit = guest.Vcpu.Run();
        exit.Io.Reply(0x77);
        guest.Vcpu.RunPage.immediate_exit = 1;
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);

        // Clients look at the exit again after they have let it finish.
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.RunPage.exit_reason);
        kvm_regs regs = guest.Vcpu.GetRegs();
        Assert.Equal(0x77ul, regs.rax);
        Assert.Equal(0x1002ul, regs.rip);
        Assert.Equal(0ul, regs.rbx);

        guest.Vcpu.RunPage.immediate_exit = 0;
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(1ul, guest.Vcpu.GetRegs().rbx);
    }
}
