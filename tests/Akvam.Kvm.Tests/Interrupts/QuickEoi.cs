using System.Buffers.Binary;
using Akvam.Abi;

namespace Akvam.KvmTests.Interrupts;

/// <summary>An interrupt that the guest ends by a bit in its memory. [KVM msr.rst MSR_KVM_PV_EOI_EN]</summary>
public sealed class QuickEoi
{
    private const byte Vector = 0x51, LowerVector = 0x41, PicVector = 0x31;
    private const ulong Flag = 0x3000;
    private const int Isr = 0x100, Irr = 0x200;

    // sti; l: hlt; jmp l
    private static ReadOnlySpan<byte> Code => [0xFB, 0xF4, 0xEB, 0xFD];

    // As Linux does it: btr dword [3000h], 0; setc al; jc done; push ax; mov ecx, 80Bh; xor eax, eax; xor edx, edx; wrmsr; pop ax; done: out 2, al; iret
    private static ReadOnlySpan<byte> Handler =>
    [
        0x66, 0x0F, 0xBA, 0x36, 0x00, 0x30, 0x00, 0x0F, 0x92, 0xC0, 0x72, 0x10, 0x50, 0x66, 0xB9, 0x0B, 0x08, 0x00, 0x00, 0x66, 0x31, 0xC0, 0x66, 0x31, 0xD2, 0x0F, 0x30, 0x58,
        0xE6, 0x02, 0xCF,
    ];

    // out 3, al
    private static ReadOnlySpan<byte> Notice => [0xE6, 0x03];

    private static Guest Create(bool notice = false)
    {
        var guest = new Guest(Code, irqchip: true);
        guest.Write(0x2000, [.. notice ? Notice : [], .. Handler]);
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        guest.Write(LowerVector * 4, [0x00, 0x20, 0x00, 0x00]);
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[0xF0..], 0x1FF);
        guest.Vcpu.SetLapic(apic);
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x1B, data = 0xFEE0_0000 | 1 << 8 | 1 << 10 | 1 << 11 }]));
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_PV_EOI_EN, data = Flag | KvmPara.KVM_MSR_ENABLED }]));
        return guest;
    }

    private static void Send(Guest guest, byte vector) => Assert.True(guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = vector }));

    private static bool IsSet(Guest guest, int register, byte vector)
    {
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        return (BinaryPrimitives.ReadUInt32LittleEndian(((ReadOnlySpan<byte>)apic.regs)[(register + (vector / 32 * 16))..]) & 1u << (vector % 32)) != 0;
    }

    /// <summary>Runs to the handler's end; whether the bit was there for it.</summary>
    private static bool EndsByBit(Guest guest)
    {
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, (ushort)2), (exit.Reason, exit.Io.Port));
        return exit.Io.Value == 1;
    }

    [Fact]
    public void ALoneInterruptEndsByTheBit()
    {
        using Guest guest = Create();
        for (int i = 0; i < 3; i++)
        {
            Send(guest, Vector);
            Assert.True(EndsByBit(guest));
            Assert.False(IsSet(guest, Isr, Vector));
            Assert.Equal(0, guest.Read(Flag, 1)[0]);
        }
    }

    [Fact]
    public void AnotherThatWaitsNeedsTheApicToKnow()
    {
        using Guest guest = Create();
        Send(guest, Vector);
        Send(guest, LowerVector);
        Assert.False(EndsByBit(guest));
        Assert.True(EndsByBit(guest));
        Assert.False(IsSet(guest, Isr, Vector) || IsSet(guest, Isr, LowerVector) || IsSet(guest, Irr, LowerVector));
    }

    /// <summary>A client that looks at the APIC in the middle of a handler finds the interrupt in service, and no offer that another host would not know of.</summary>
    [Fact]
    public void TheBitIsTakenBackWhenTheApicIsRead()
    {
        using Guest guest = Create(notice: true);
        Send(guest, Vector);
        Assert.Equal(3, guest.Vcpu.Run().Io.Port);
        Assert.True(IsSet(guest, Isr, Vector));
        Assert.Equal(0, guest.Read(Flag, 1)[0]);
        Assert.False(EndsByBit(guest));
        Assert.False(IsSet(guest, Isr, Vector));
    }

    /// <summary>What the guest executes does not depend on when it is left.</summary>
    [Fact]
    public void TheBitStaysWhenTheRunEnds()
    {
        using Guest guest = Create(notice: true);
        Send(guest, Vector);
        Assert.Equal(3, guest.Vcpu.Run().Io.Port);
        Assert.True(EndsByBit(guest));
        Assert.False(IsSet(guest, Isr, Vector));
    }

    /// <summary>An interrupt of the 8259 has no end that the APIC sees: the one before has ended by the bit, and must not be offered it again.</summary>
    [Fact]
    public void AnInterruptOfThe8259DoesNotBringBackTheLast()
    {
        using Guest guest = Create();
        kvm_irqchip pic = guest.Vm.GetIrqchip(KvmIrq.KVM_IRQCHIP_PIC_MASTER);
        pic.chip.pic.irq_base = PicVector & 0xF8;
        pic.chip.pic.imr = 0;
        guest.Vm.SetIrqchip(pic);
        guest.Write(0x2100, [0xE6, 0x04, 0xCF]); // out 4, al; iret
        guest.Write(PicVector * 4, [0x00, 0x21, 0x00, 0x00]);
        Send(guest, Vector);
        Assert.True(EndsByBit(guest));
        guest.Vm.IrqLine(1, true);
        Assert.Equal(4, guest.Vcpu.Run().Io.Port);
        Assert.False(IsSet(guest, Isr, Vector));
        Assert.Equal(0, guest.Read(Flag, 1)[0]);
    }

    [Fact]
    public void ALevelNeedsTheIoapicToKnow()
    {
        using Guest guest = Create();
        Assert.True(guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = Vector | 1 << 15 | 1 << 14 }));
        Assert.False(EndsByBit(guest));
        Assert.False(IsSet(guest, Isr, Vector));
    }

    [Theory]
    [InlineData(Flag | 2)]
    [InlineData(0x1000_0000 | KvmPara.KVM_MSR_ENABLED)]
    public void AnAddressThatCannotBeIsRefused(ulong value)
    {
        using Guest guest = Create();
        Assert.Equal(0, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = KvmPara.MSR_KVM_PV_EOI_EN, data = value }]));
    }

    /// <summary>The next kernel on a processor that got INIT has something else at these addresses.</summary>
    [Fact]
    public void InitEndsWhatWasAskedForInMemory()
    {
        using Guest guest = Create();
        using Vcpu other = guest.Vm.CreateVcpu(1);
        uint[] indices = [KvmPara.MSR_KVM_PV_EOI_EN, KvmPara.MSR_KVM_SYSTEM_TIME_NEW, KvmPara.MSR_KVM_ASYNC_PF_EN, KvmPara.MSR_KVM_ASYNC_PF_INT];
        ulong[] values = [Flag | 1, 0x4001, 0x5000 | 1 | 8, 0xF3];
        kvm_msr_entry[] entries = [.. indices.Zip(values, (index, data) => new kvm_msr_entry { index = index, data = data })];
        Assert.Equal(entries.Length, other.SetMsrs(entries));
        Assert.Equal(entries.Length, other.GetMsrs(entries));
        Assert.Equal(values, entries.Select(e => e.data));

        // INIT to the processor with number 1, and a SIPI, so that its run ends: out 3, al.
        guest.Write(0x6000, [0xE6, 0x03]);
        foreach (uint message in new uint[] { 5 << 8 | 1 << 14, 6 << 8 | 1 << 14 | 6 })
        {
            Assert.True(guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_1000, data = message }));
        }

        Assert.Equal(KvmExit.KVM_EXIT_IO, other.Run().Reason);
        Assert.Equal(entries.Length, other.GetMsrs(entries));
        Assert.All(entries, e => Assert.Equal(0ul, e.data));
    }
}
