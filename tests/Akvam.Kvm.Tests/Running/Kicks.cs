using Akvam.Abi;

namespace Akvam.KvmTests.Running;

public sealed class Kicks
{
    [Fact]
    public void AKickEndsALoopingGuest()
    {
        using var guest = new Guest([0xEB, 0xFE]);
        var other = new Thread(() =>
        {
            Thread.Sleep(20);
            guest.Vcpu.Kick();
        });
        other.Start();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
        other.Join();
        Assert.Equal(0x1000ul, guest.Vcpu.GetRegs().rip);
    }

    [Fact]
    public void AKickBeforeTheRunEndsThatRunAndNoOther()
    {
        using var guest = new Guest([0x43, 0xF4]);
        guest.Vcpu.Kick();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
        Assert.Equal(0ul, guest.Vcpu.GetRegs().rbx);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
    }

    [Fact]
    public void AKickEndsAHaltedGuest()
    {
        using var guest = new Guest([0xF4], irqchip: true);
        var other = new Thread(() =>
        {
            Thread.Sleep(20);
            guest.Vcpu.Kick();
        });
        other.Start();
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
        other.Join();
        Assert.Equal(KvmState.KVM_MP_STATE_HALTED, guest.Vcpu.GetMpState().mp_state);
    }

    [Fact]
    public void ALimitOfInstructionsEndsARun()
    {
        // inc bx; inc bx; inc bx; hlt
        using var guest = new Guest([0x43, 0x43, 0x43, 0xF4]);
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(maxInstructions: 2).Reason);
        Assert.Equal(2ul, guest.Vcpu.GetRegs().rbx);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(3ul, guest.Vcpu.GetRegs().rbx);
    }
}
