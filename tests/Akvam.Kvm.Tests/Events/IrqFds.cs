using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Events;

/// <summary>[KVM 4.75]</summary>
public sealed class IrqFds
{
    private const byte Vector = 0x41;
    private const uint Gsi = 10;

    // sti; l: hlt; jmp l, and a handler that tells the client, ends the interrupt and tells it again: out 2, al; mov dword fs:[0b0h], 0; out 3, al; iret
    private static Guest Create(bool levelTriggered)
    {
        var guest = new Guest([0xFB, 0xF4, 0xEB, 0xFD], irqchip: true);
        guest.Write(0x2000, [0xE6, 0x02, 0x66, 0x64, 0xC7, 0x06, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0xE6, 0x03, 0xCF]);
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.fs.@base = 0xFEE0_0000;
        guest.Vcpu.SetSregs(sregs);
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[0xF0..], 0x1FF);
        guest.Vcpu.SetLapic(apic);
        kvm_irqchip chip = guest.Vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_IOAPIC);
        chip.chip.ioapic.redirtbl[(int)Gsi] = Vector | (levelTriggered ? 1ul << 15 : 0);
        guest.Vm.SetIrqchip(chip);
        return guest;
    }

    private static kvm_irqfd Request(HostEvent file, uint flags = 0, HostEvent? resample = null) => new()
    {
        fd = (uint)file.File,
        gsi = Gsi,
        flags = flags | (resample is null ? 0 : KvmIrq.KVM_IRQFD_FLAG_RESAMPLE),
        resamplefd = (uint)(resample?.File ?? 0),
    };

    private static Errno Refused(Guest guest, kvm_irqfd request) => Assert.Throws<KvmException>(() => guest.Vm.IrqFd(request)).Errno;

    private static ushort NextPort(Guest guest)
    {
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        return exit.Io.Port;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ASignalInterruptsAHaltedProcessor(bool blocking)
    {
        using Guest guest = Create(levelTriggered: false);
        using var file = new HostEvent(blocking);
        guest.Vm.IrqFd(Request(file));
        var other = new Thread(() =>
        {
            Thread.Sleep(20);
            file.Signal();
        });
        other.Start();
        Assert.Equal(2, NextPort(guest));
        other.Join();
        Assert.Equal(3, NextPort(guest));
    }

    [Fact]
    public void ASignalFromBeforeCounts()
    {
        using Guest guest = Create(levelTriggered: false);
        using var file = new HostEvent();
        file.Signal();
        guest.Vm.IrqFd(Request(file));
        Assert.Equal(2, NextPort(guest));
    }

    [Fact]
    public void TheEndOfALevelInterruptIsToldToTheResampler()
    {
        using Guest guest = Create(levelTriggered: true);
        using var file = new HostEvent();
        using var resample = new HostEvent();
        guest.Vm.IrqFd(Request(file, resample: resample));
        file.Signal();
        Assert.Equal(2, NextPort(guest));
        Assert.Equal(0ul, resample.Take());
        Assert.Equal(3, NextPort(guest));
        Assert.Equal(1ul, resample.Take());

        // The line went down with it: the next interrupt comes only when somebody asks again.
        file.Signal();
        Assert.Equal(2, NextPort(guest));
    }

    [Fact]
    public void AfterDeassigningNothingIsRaised()
    {
        using Guest guest = Create(levelTriggered: false);
        using var file = new HostEvent();
        guest.Vm.IrqFd(Request(file));
        guest.Vm.IrqFd(Request(file, KvmIrq.KVM_IRQFD_FLAG_DEASSIGN));
        file.Signal();
        Thread.Sleep(20);
        Assert.Equal(1ul, file.Take());
        guest.Vm.IrqFd(Request(file, KvmIrq.KVM_IRQFD_FLAG_DEASSIGN));
    }

    [Fact]
    public void RequestsThatMeanNothingAreRefused()
    {
        using var bare = new Guest([0xF4]);
        using var file = new HostEvent();
        Assert.Equal(Errno.EINVAL, Refused(bare, Request(file)));
        using Guest guest = Create(levelTriggered: false);
        Assert.Equal(Errno.EINVAL, Refused(guest, Request(file, flags: 1 << 5)));
        Assert.Equal(Errno.EBADF, Refused(guest, Request(file) with { fd = uint.MaxValue }));
        Assert.Equal(Errno.EBADF, Refused(guest, Request(file, resample: file) with { resamplefd = uint.MaxValue }));
        guest.Vm.IrqFd(Request(file));
        Assert.Equal(Errno.EBUSY, Refused(guest, Request(file) with { gsi = 11 }));
    }
}
