using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>Interrupts of the client's own controller: KVM_INTERRUPT and the interrupt window. [KVM 4.16]</summary>
public sealed class UserInterruptController
{
    private const byte Vector = 0x20;

    // sti; nop; l: out 1, al; jmp l
    private static Guest Create()
    {
        var guest = new Guest([0xFB, 0x90, 0xE6, 0x01, 0xEB, 0xFC]);

        // Handler at 0000:2000: out 2, al; iret
        guest.Write(0x2000, [0xE6, 0x02, 0xCF]);
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        return guest;
    }

    [Fact]
    public void AnInterruptRunsItsHandlerAndReturns()
    {
        using Guest guest = Create();
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
        Assert.Equal(1, guest.Vcpu.RunPage.if_flag);
        Assert.Equal(1, guest.Vcpu.RunPage.ready_for_interrupt_injection);
        guest.Vcpu.Interrupt(Vector);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal(0, guest.Vcpu.RunPage.if_flag);
        Assert.Equal(0, guest.Vcpu.RunPage.ready_for_interrupt_injection);
        Assert.Equal(1, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void TheWindowOpensAfterStiAndTheInstructionThatFollows()
    {
        using Guest guest = Create();
        guest.Vcpu.RunPage.request_interrupt_window = 1;
        Assert.Equal(KvmExit.KVM_EXIT_IRQ_WINDOW_OPEN, guest.Vcpu.Run().Reason);
        Assert.Equal(0x1002ul, guest.Vcpu.GetRegs().rip);
        Assert.Equal(1, guest.Vcpu.RunPage.ready_for_interrupt_injection);
        guest.Vcpu.RunPage.request_interrupt_window = 0;
        guest.Vcpu.Interrupt(Vector);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void AWaitingInterruptIsPartOfTheState()
    {
        using Guest guest = Create();
        guest.Vcpu.Run();
        guest.Vcpu.Interrupt(Vector);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        Assert.Equal(1ul << Vector, sregs.interrupt_bitmap[0]);
        kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(1, events.interrupt.injected);
        Assert.Equal(Vector, events.interrupt.nr);
    }

    [Fact]
    public void AnInterruptInTheStateIsDelivered()
    {
        using Guest guest = Create();
        guest.Vcpu.Run();
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.interrupt_bitmap[0] = 1ul << Vector;
        guest.Vcpu.SetSregs(sregs);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void VectorsEndAt255AndControllersOfKvmsRefuse()
    {
        using Guest guest = Create();
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.Interrupt(256)).Errno);
        using var other = new Guest([0xF4], irqchip: true);
        Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => other.Vcpu.Interrupt(Vector)).Errno);
    }

    [Fact]
    public void ALoweredTaskPriorityIsAnExit()
    {
        // 64-bit code: mov cr8, rax; mov ebx, 5; hlt
        using var guest = new Guest([0x44, 0x0F, 0x22, 0xC0, 0xBB, 0x05, 0x00, 0x00, 0x00, 0xF4]);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, cpl: 0));
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rax = 3 });
        guest.Vcpu.RunPage.cr8 = 9;
        Assert.Equal(KvmExit.KVM_EXIT_SET_TPR, guest.Vcpu.Run().Reason);
        Assert.Equal(3ul, guest.Vcpu.RunPage.cr8);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(5ul, guest.Vcpu.GetRegs().rbx);
    }
}
