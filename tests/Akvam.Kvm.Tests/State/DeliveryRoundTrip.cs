using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>
/// An event whose delivery waits for the client (its table is not in memory) is an injected one in KVM_GET_VCPU_EVENTS, and begins again where the state is set;
/// semantics.md section 7.2. [KVM 4.31]
/// </summary>
public sealed class DeliveryRoundTrip
{
    /// <summary>The IDT is where no memory is: every event waits for its vector.</summary>
    private const ulong Idt = 0x10_0000;

    /// <summary>xor dx, dx; div dx; l: jmp l.</summary>
    private static ReadOnlySpan<byte> Code => [0x31, 0xD2, 0xF7, 0xF2, 0xEB, 0xFE];

    private static Guest Make()
    {
        var guest = new Guest(Code);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.idt = new kvm_dtable { @base = Idt, limit = 0x3FF };
        guest.Vcpu.SetSregs(sregs);
        guest.Write(0x2000, [0xE6, 0x05]);
        return guest;
    }

    /// <summary>Runs into the event and gives the vector that the client is asked for.</summary>
    private static ulong Start(Guest guest, int kind)
    {
        if (kind != 0)
        {
            guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = Guest.CodeAddress + 4, rflags = 0x202 });
        }

        switch (kind)
        {
            case 1:
                guest.Vcpu.Interrupt(0x41);
                break;
            case 2:
                guest.Vcpu.Nmi();
                break;
        }

        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        return (exit.Mmio.Address - Idt) / 4;
    }

    private static void AssertReaches(Vcpu vcpu, ulong vector)
    {
        VcpuExit exit = vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.Equal(vector, (exit.Mmio.Address - Idt) / 4);
        new byte[] { 0, 0x20, 0, 0 }.CopyTo(exit.Mmio.Data);
        exit = vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.Equal(5, exit.Io.Port);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void AnEventInDeliveryIsInjectedAndBeginsAgainInAnotherVm(int kind)
    {
        using Guest guest = Make(), other = Make();
        ulong vector = Start(guest, kind);
        kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(kind == 0 ? 1 : 0, events.exception.injected);
        Assert.Equal(kind == 1 ? 1 : 0, events.interrupt.injected);
        Assert.Equal(kind == 1 ? 0x41 : 0, events.interrupt.nr);
        Assert.Equal(kind == 2 ? 1 : 0, events.nmi.injected);
        Assert.Equal(kind == 2 ? 1 : 0, events.nmi.masked);

        other.Vcpu.SetSregs(guest.Vcpu.GetSregs());
        other.Vcpu.SetRegs(guest.Vcpu.GetRegs());
        other.Vcpu.SetVcpuEvents(events);
        AbiAssert.Equal(events, other.Vcpu.GetVcpuEvents());
        AssertReaches(other.Vcpu, vector);
        Assert.Equal(kind == 2 ? 1 : 0, other.Vcpu.GetVcpuEvents().nmi.masked);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void GetSetGetIsIdentityAndTheSameVcpuGoesOn(int kind)
    {
        using Guest guest = Make();
        ulong vector = Start(guest, kind);
        kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents();
        guest.Vcpu.SetVcpuEvents(events);
        AbiAssert.Equal(events, guest.Vcpu.GetVcpuEvents());
        AssertReaches(guest.Vcpu, vector);
    }

    [Fact]
    public void SettingNoEventGivesTheDeliveryUp()
    {
        using Guest guest = Make();
        Start(guest, 1);
        guest.Vcpu.SetVcpuEvents(new kvm_vcpu_events());
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run(5).Reason);
        Assert.Equal(Guest.CodeAddress + 4, guest.Vcpu.GetRegs().rip);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADebugTrapThatWaitsBehindAnExitTravelsAsAnException(bool payloads)
    {
        // out 10h, al with TF set: the exit comes first, the trap after it.
        using Guest guest = new([0xE6, 0x10, 0x90, 0xF4]), other = new([0xE6, 0x10, 0x90, 0xF4]);
        foreach (Guest g in (Guest[])[guest, other])
        {
            var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_EXCEPTION_PAYLOAD };
            cap.args[0] = payloads ? 1ul : 0;
            g.Vm.EnableCap(cap);
            g.Write(4, [0, 0x20, 0, 0]);
            g.Write(0x2000, [0xE6, 0x05]);
        }

        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rflags = 0x102 });
        Assert.Equal(0x10, guest.Vcpu.Run().Io.Port);
        guest.Vcpu.RunPage.immediate_exit = 1;
        Assert.Equal(KvmExit.KVM_EXIT_INTR, guest.Vcpu.Run().Reason);
        guest.Vcpu.RunPage.immediate_exit = 0;

        kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(1, events.exception.nr);
        Assert.Equal(1, events.exception.pending);
        Assert.Equal(payloads ? 0 : 1, events.exception.injected);
        Assert.Equal(payloads ? 0x4000ul : 0, events.exception_payload);
        AbiAssert.Equal(events, guest.Vcpu.GetVcpuEvents());

        other.Vcpu.SetSregs(guest.Vcpu.GetSregs());
        other.Vcpu.SetDebugregs(guest.Vcpu.GetDebugregs());
        other.Vcpu.SetRegs(guest.Vcpu.GetRegs());
        other.Vcpu.SetVcpuEvents(events);
        foreach (Guest g in (Guest[])[guest, other])
        {
            Assert.Equal(5, g.Vcpu.Run().Io.Port);
            Assert.Equal(0xFFFF_4FF0ul, g.Vcpu.GetDebugregs().dr6);
        }
    }
}
