using Akvam.Abi;

namespace Akvam.KvmTests.State;

/// <summary>An event whose table the client has to supply is part of the state, as one in delivery.</summary>
public sealed class EventsInDelivery
{
    [Fact]
    public void AnExceptionThatWaitsForItsVectorTableIsInjected()
    {
        // xor dx, dx; div dx, with the IDT where no memory is
        using var guest = new Guest([0x31, 0xD2, 0xF7, 0xF2]);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.idt = new kvm_dtable { @base = 0x10_0000, limit = 0x3FF };
        guest.Vcpu.SetSregs(sregs);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.Equal(0x10_0000ul, exit.Mmio.Address);

        kvm_vcpu_events events = guest.Vcpu.GetVcpuEvents();
        Assert.Equal(1, events.exception.injected);
        Assert.Equal(0, events.exception.nr);

        // Elsewhere the same event starts again.
        using var other = new Guest([0x31, 0xD2, 0xF7, 0xF2]);
        other.Vcpu.SetRegs(guest.Vcpu.GetRegs());
        other.Vcpu.SetVcpuEvents(events);
        other.Write(0, [0x00, 0x20, 0x00, 0x00]);
        other.Write(0x2000, [0xE6, 0x05]);
        Assert.Equal(5, other.Vcpu.Run().Io.Port);
    }
}
