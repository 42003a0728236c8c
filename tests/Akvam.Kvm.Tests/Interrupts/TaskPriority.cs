using System.Buffers.Binary;
using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam.KvmTests.Interrupts;

/// <summary>KVM_TPR_ACCESS_REPORTING and KVM_SET_VAPIC_ADDR: what 32-bit Windows before Vista gains from, in QEMU with its option ROM.</summary>
public sealed class TaskPriority
{
    private const ulong Copy = 0x3000;
    private const byte Vector = 0x51, OtherVector = 0x41;
    private const int Tpr = 0x80, Isr = 0x100;

    // mov eax, [80h]; mov [80h], ebx; out 2, al: with the APIC's page as data segment
    private static readonly byte[] s_accesses = [0x66, 0xA1, 0x80, 0x00, 0x66, 0x89, 0x1E, 0x80, 0x00, 0xE6, 0x02];

    private static Guest Create(ReadOnlySpan<byte> code, ulong dataBase = 0, EngineKind engine = EngineKind.Interpreter)
    {
        var guest = new Guest(code, irqchip: true, options: new VmOptions { Engine = engine, TranslateAfter = 0 });
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        BinaryPrimitives.WriteUInt32LittleEndian(((Span<byte>)apic.regs)[0xF0..], 0x1FF);
        guest.Vcpu.SetLapic(apic);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.ds.@base = dataBase;
        guest.Vcpu.SetSregs(sregs);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rbx = 0x20 });
        return guest;
    }

    private static uint Register(Guest guest, int register)
    {
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        return BinaryPrimitives.ReadUInt32LittleEndian(((ReadOnlySpan<byte>)apic.regs)[register..]);
    }

    private static void Expect(Guest guest, ulong rip, bool write, ulong next)
    {
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_TPR_ACCESS, exit.Reason);
        Assert.Equal((rip, write ? 1u : 0), (exit.TprAccess.rip, exit.TprAccess.is_write));
        Assert.Equal(next, guest.Vcpu.GetRegs().rip);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void AccessesAreReportedWithTheirInstructionAfterItsEnd(EngineKind engine)
    {
        using Guest guest = Create(s_accesses, 0xFEE0_0000, engine);
        guest.Vcpu.SetTprAccessReporting(new kvm_tpr_access_ctl { enabled = 1 });
        Expect(guest, 0x1000, write: false, 0x1004);
        Expect(guest, 0x1004, write: true, 0x1009);
        Assert.Equal(0x20u, Register(guest, Tpr));
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run().Reason);
    }

    /// <summary>Other registers are nobody's business, and neither is this one when nobody asked.</summary>
    [Theory]
    [InlineData(0u, 0xFEE0_0000ul)]
    [InlineData(1u, 0xFEE0_0000ul + 0x360 - 0x80)]
    public void NothingElseIsReported(uint enabled, ulong dataBase)
    {
        using Guest guest = Create(s_accesses, dataBase);
        guest.Vcpu.SetTprAccessReporting(new kvm_tpr_access_ctl { enabled = 1 });
        guest.Vcpu.SetTprAccessReporting(new kvm_tpr_access_ctl { enabled = enabled });
        Assert.Equal(KvmExit.KVM_EXIT_IO, guest.Vcpu.Run().Reason);
    }

    /// <summary>An interrupt that waits comes after the report, not between the instruction and it.</summary>
    [Fact]
    public void AnInterruptWaitsForTheReport()
    {
        using Guest guest = Create(s_accesses, 0xFEE0_0000);
        guest.Write(0x2000, [0xE6, 0x03]); // out 3, al
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        guest.Vcpu.SetTprAccessReporting(new kvm_tpr_access_ctl { enabled = 1 });
        Expect(guest, 0x1000, write: false, 0x1004);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rbx = 0x60, rflags = 0x202 });
        guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = Vector });
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal((KvmExit.KVM_EXIT_IO, (ushort)3), (exit.Reason, exit.Io.Port));
    }

    [Fact]
    public void TheCopyIsTheTaskPriority()
    {
        // mov byte [3000h], 60h; vmmcall; sti; nop; out 2, al; mov byte [3000h], 0; vmmcall; nop; out 4, al
        byte[] code = [0xC6, 0x06, 0x00, 0x30, 0x60, 0x0F, 0x01, 0xD9, 0xFB, 0x90, 0xE6, 0x02, 0xC6, 0x06, 0x00, 0x30, 0x00, 0x0F, 0x01, 0xD9, 0x90, 0xE6, 0x04];
        using Guest guest = Create(code);
        guest.Write(0x2000, [0xE6, 0x03, 0xCF]); // out 3, al; iret
        guest.Write(Vector * 4, [0x00, 0x20, 0x00, 0x00]);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rax = KvmPara.KVM_HC_VAPIC_POLL_IRQ });
        guest.Vcpu.SetVapicAddr(Copy);
        guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = Vector });

        // Held back by the copy, in which the guest sees the request.
        Assert.Equal(2, guest.Vcpu.Run().Io.Port);
        Assert.Equal([0x60, 0, 0, Vector], guest.Read(Copy, 4));
        Assert.Equal(0x60u, Register(guest, Tpr));

        // Let through by the copy: in service, with its class there.
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rax = KvmPara.KVM_HC_VAPIC_POLL_IRQ });
        Assert.Equal(3, guest.Vcpu.Run().Io.Port);
        Assert.Equal([0, Vector & 0xF0, 0, 0], guest.Read(Copy, 4));
        Assert.NotEqual(0u, Register(guest, Isr + (Vector / 32 * 16)) & 1u << (Vector % 32));
        Assert.Equal(4, guest.Vcpu.Run().Io.Port);

        // One of the same class waits, and the guest sees it.
        guest.Vm.SignalMsi(new kvm_msi { address_lo = 0xFEE0_0000, data = OtherVector });
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = 0x1014 });
        Assert.Equal(4, guest.Vcpu.Run().Io.Port);
        Assert.Equal([0, Vector & 0xF0, 0, OtherVector], guest.Read(Copy, 4));
    }

    [Fact]
    public void WhatTheClientSetsIsInTheCopy()
    {
        using Guest guest = Create(s_accesses);
        guest.Vcpu.SetVapicAddr(Copy);
        kvm_lapic_state apic = guest.Vcpu.GetLapic();
        ((Span<byte>)apic.regs)[Tpr] = 0x35;
        guest.Vcpu.SetLapic(apic);
        Assert.Equal(0x35, guest.Read(Copy, 1)[0]);
        Assert.Equal(0x35u, Register(guest, Tpr));

        // Without a copy memory is the guest's own.
        guest.Vcpu.SetVapicAddr(0);
        guest.Write(Copy, [0x70]);
        Assert.Equal(0x35u, Register(guest, Tpr));
    }

    [Fact]
    public void Misuse()
    {
        using Guest guest = Create(s_accesses);
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => guest.Vcpu.SetTprAccessReporting(new kvm_tpr_access_ctl { enabled = 1, flags = 1 })));
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => guest.Vcpu.SetVapicAddr(0x1000_0000)));
        using var bare = new Guest(s_accesses);
        Assert.Equal(Errno.EINVAL, ErrnoOf(() => bare.Vcpu.SetVapicAddr(Copy)));
    }

    private static Errno ErrnoOf(Action action) => Assert.Throws<KvmException>(action).Errno;
}
