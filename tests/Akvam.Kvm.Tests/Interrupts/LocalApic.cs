using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>Interrupt controllers of KVM's, as a guest and a client see them.</summary>
public sealed class LocalApic
{
    private const byte Vector = 0x41;

    // sti; l: hlt; jmp l, and a handler that tells the client: out 2, al; iret
    private static Guest Create(VmOptions? options = null)
    {
        var guest = new Guest([0xFB, 0xF4, 0xEB, 0xFD], irqchip: true, options);
        guest.Write(0x2000, [0xE6, 0x02, 0xCF]);
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        Put(ref apic, 0xF0, 0x1FF);
        guest.Vcpu.SetLapic(apic);
        return guest;
    }

    private static void Put(ref kvm_lapic_state apic, int register, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[register..], value);

    [Fact]
    public void AnMsiWakesAHaltedProcessor()
    {
        using Guest guest = Create();
        var other = new Thread(() =>
        {
            Thread.Sleep(20);
            Assert.True(guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = Vector }));
        });
        other.Start();
        VcpuExit exit = guest.Vcpu.Run();
        other.Join();
        Assert.Equal(KvmExit.KVM_EXIT_IO, exit.Reason);
        Assert.Equal(2, exit.Io.Port);
    }

    [Fact]
    public void TheTimerWakesAHaltedProcessor()
    {
        using Guest guest = Create();
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        Put(ref apic, 0x3E0, 0xB);
        Put(ref apic, 0x320, Vector);
        Put(ref apic, 0x380, 5_000_000);
        Put(ref apic, 0x390, 5_000_000);
        guest.Vcpu.SetLapic(apic);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void AGsiGoesThroughTheRoutingTable()
    {
        using Guest guest = Create();
        var route = new kvm_irq_routing_entry { gsi = 30, type = KvmIrq.KVM_IRQ_ROUTING_MSI };
        route.u.msi.address_lo = 0xFEE0_0000;
        route.u.msi.data = Vector;
        guest.Vm.SetGsiRouting([route]);
        Assert.Equal(-1, guest.Vm.IrqLine(29, true));
        Assert.Equal(1, guest.Vm.IrqLine(30, true));
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void TheIoapicStateComesBack()
    {
        using Guest guest = Create();
        kvm_irqchip chip = guest.Vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_IOAPIC);
        Assert.Equal(0xFEC0_0000ul, chip.chip.ioapic.base_address);
        chip.chip.ioapic.redirtbl[5] = 0x1_0000 | Vector;
        guest.Vm.SetIrqchip(chip);
        Assert.Equal(0x1_0000ul | Vector, guest.Vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_IOAPIC).chip.ioapic.redirtbl[5]);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vm.GetIrqchip(3)).Errno);
    }

    [Fact]
    public void ThePicDeliversThroughLint0()
    {
        using Guest guest = Create();
        kvm_irqchip pic = guest.Vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_PIC_MASTER);
        pic.chip.pic.irq_base = Vector & 0xF8;
        pic.chip.pic.imr = 0xFD;
        guest.Vm.SetIrqchip(pic);
        guest.Vm.IrqLine(1, true);
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
    }

    [Fact]
    public void PortsOfThePicDoNotReachTheClient()
    {
        // in al, 21h; out 3, al
        using var guest = new Guest([0xE4, 0x21, 0xE6, 0x03, 0xF4], irqchip: true);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(3, exit.Io.Port);
    }

    [Fact]
    public void ThePitNeedsAnIrqchipAndComesOnce()
    {
        using var bare = new Guest([0xF4]);
        Assert.Equal(Errno.ENOENT, Assert.Throws<KvmException>(() => bare.Vm.CreatePit2(default)).Errno);
        using Guest guest = Create();
        guest.Vm.CreatePit2(default);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(() => guest.Vm.CreatePit2(default)).Errno);
        kvm_pit_state2 pit = guest.Vm.GetPit2();
        guest.Vm.SetPit2(pit);
    }

    [Fact]
    public void AnIrqchipComesOnceAndBeforeTheVcpus()
    {
        using var bare = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(bare.Vm.CreateIrqchip).Errno);
        using Guest guest = Create();
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(guest.Vm.CreateIrqchip).Errno);
    }

    [Fact]
    public void WithoutAnIrqchipThereIsNoApicState()
    {
        using var bare = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => bare.Vcpu.GetLapic()).Errno);
        Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => bare.Vm.IrqLine(1, true)).Errno);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0xC00ul)]
    public void WhereTheRegisterPageIsNotThereNeitherIsAnythingElse(ulong mode)
    {
        // 64-bit: mov edi, FEE00300h; mov dword [rdi], 4041h; mov eax, [rdi]; out 1, eax
        using var guest = new Guest([0xBF, 0x00, 0x03, 0xE0, 0xFE, 0xC7, 0x07, 0x41, 0x40, 0x00, 0x00, 0x8B, 0x07, 0xE7, 0x01], irqchip: true);
        kvm_sregs sregs = LongMode.Sregs(guest, cpl: 0);
        guest.Write(0x3018, [0x83, 0, 0, 0xC0, 0, 0, 0, 0]);
        sregs.apic_base = 0xFEE0_0000 | mode;
        guest.Vcpu.SetSregs(sregs);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, uint.MaxValue), (exit.Reason, exit.Io.Value));
    }
}
