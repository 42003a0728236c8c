using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>Local APICs of KVM's with an IOAPIC and a PIC of the client's. [KVM 7.5]</summary>
public sealed class SplitIrqchip : IDisposable
{
    private const byte Vector = 0x51;

    private readonly Kvm _kvm = Kvm.Open();
    private readonly Vm _vm;
    private readonly Vcpu _vcpu;

    public SplitIrqchip()
    {
        _vm = _kvm.CreateVm();
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_SPLIT_IRQCHIP };
        cap.args[0] = 24;
        _vm.EnableCap(cap);
        _vm.AddMemory(0, 0x1_0000);
        _vcpu = _vm.CreateVcpu();
        _vcpu.SetCpuid2(_kvm.GetSupportedCpuid());
        Guest.StartReal(_vcpu, Guest.CodeAddress);
        kvm_lapic_state apic = _vcpu.GetLapic();
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[0xF0..], 0x1FF);
        _vcpu.SetLapic(apic);

        // sti; l: hlt; jmp l. Handler: mov dword [fs:b0h], 0 (the EOI register); out 2, al; iret
        _vm.WriteMemory(Guest.CodeAddress, [0xFB, 0xF4, 0xEB, 0xFD]);
        _vm.WriteMemory(0x2000, [0x64, 0x66, 0xC7, 0x06, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0xE6, 0x02, 0xCF]);
        _vm.WriteMemory(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        kvm_sregs sregs = _vcpu.GetSregs();
        sregs.fs.@base = 0xFEE0_0000;
        _vcpu.SetSregs(sregs);
    }

    public void Dispose() => _kvm.Dispose();

    [Fact]
    public void TheEndOfALevelTriggeredInterruptIsAnExit()
    {
        var route = new kvm_irq_routing_entry { gsi = 3, type = KvmIrq.KVM_IRQ_ROUTING_MSI };
        route.u.msi.address_lo = 0xFEE0_0000;
        route.u.msi.data = (1 << 15) | Vector;
        _vm.SetGsiRouting([route]);
        Assert.Equal(1, _vm.IrqLine(3, true));
        VcpuExit exit = _vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_IOAPIC_EOI, exit.Reason);
        Assert.Equal(Vector, exit.EoiVector);
        Assert.Equal(2, _vcpu.Run().Io.Port);
    }

    [Fact]
    public void AnInterruptOfTheClientsPicIsTakenThroughLint0()
    {
        _vcpu.Interrupt(Vector);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(() => _vcpu.Interrupt(Vector)).Errno);
        Assert.Equal(2, _vcpu.Run().Io.Port);
    }

    [Fact]
    public void ChipsOfKvmsAreNotThere()
    {
        Assert.Equal(Errno.ENXIO, Assert.Throws<KvmException>(() => _vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_IOAPIC)).Errno);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KvmException>(_vm.CreateIrqchip).Errno);
    }
}
