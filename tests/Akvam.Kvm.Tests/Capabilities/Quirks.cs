using Akvam.Abi;

namespace Akvam.KvmTests.Capabilities;

/// <summary>[KVM 7.31] KVM_CAP_DISABLE_QUIRKS2: KVM's deviations are there, and go.</summary>
public sealed class Quirks
{
    private const ulong Handler = 0x1100;

    [Fact]
    public void TheOtherVendorsHypercallIsReplaced()
    {
        using Guest guest = MakeHypercall(native: false);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(Guest.CodeAddress + 4, guest.Vcpu.GetRegs().rip);
        Assert.Equal(0ul, guest.Vcpu.GetRegs().rax);
        Assert.Equal(Hypercall(native: true), guest.Read(Guest.CodeAddress, 3));
    }

    [Fact]
    public void WithoutTheQuirkTheOtherVendorsHypercallDoesNotExist()
    {
        using Guest guest = MakeHypercall(native: false);
        Disable(guest, KvmTuning.KVM_X86_QUIRK_FIX_HYPERCALL_INSN);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(Handler + 1, guest.Vcpu.GetRegs().rip);
        Assert.Equal(Hypercall(native: false), guest.Read(Guest.CodeAddress, 3));
    }

    [Fact]
    public void MonitorAndMwaitDoNothingUntilTheQuirkIsOff()
    {
        // monitor; mwait; hlt, with ECX = 0
        byte[] code = [0x0F, 0x01, 0xC8, 0x0F, 0x01, 0xC9, 0xF4];
        using var lenient = new Guest(code);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, lenient.Vcpu.Run().Reason);
        Assert.Equal(Guest.CodeAddress + 7, lenient.Vcpu.GetRegs().rip);

        using Guest strict = WithHandler(code);
        Disable(strict, KvmTuning.KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
        Assert.Equal(KvmExit.KVM_EXIT_HLT, strict.Vcpu.Run().Reason);
        Assert.Equal(Handler + 1, strict.Vcpu.GetRegs().rip);
    }

    [Fact]
    public void MiscEnableOffersMwaitWhenItIsNoQuirk()
    {
        // monitor; hlt
        using Guest guest = WithHandler([0x0F, 0x01, 0xC8, 0xF4]);
        Disable(guest, KvmTuning.KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KvmTuning.KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT);
        Assert.Equal(1, guest.Vcpu.SetMsrs([new kvm_msr_entry { index = 0x1A0, data = 1 << 18 }]));
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(Guest.CodeAddress + 4, guest.Vcpu.GetRegs().rip);
    }

    /// <summary>The page of a disabled local APIC reads all ones with the quirk, and is the client's without.</summary>
    [Fact]
    public void ApicPageIsAHole()
    {
        using Guest hole = WithDisabledApic();
        Assert.Equal(KvmExit.KVM_EXIT_IO, hole.Vcpu.Run().Reason);
        Assert.Equal(0xFFFF_FFFFul, hole.Vcpu.GetRegs().rax);

        using Guest outside = WithDisabledApic();
        Disable(outside, KvmTuning.KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
        VcpuExit exit = outside.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_MMIO, exit.Reason);
        Assert.Equal(0xFEE0_0030ul, exit.Mmio.Address);
    }

    [Fact]
    public void UnknownQuirksAreRefused()
    {
        using var guest = new Guest([0xF4]);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => Disable(guest, 1ul << 40)).Errno);
        Assert.Equal(0, guest.Vm.CheckExtension(KvmCap.KVM_CAP_DISABLE_QUIRKS2) & ~0x7F);
    }

    private static void Disable(Guest guest, ulong quirks)
    {
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_DISABLE_QUIRKS2 };
        cap.args[0] = quirks;
        guest.Vm.EnableCap(in cap);
    }

    private static byte[] Hypercall(bool native)
    {
        using var kvm = Kvm.Open();
        bool isAmd = kvm.GetSupportedCpuid()[0].ecx == 0x444D_4163;
        return [0x0F, 0x01, isAmd == native ? (byte)0xD9 : (byte)0xC1];
    }

    /// <summary>KVM_HC_VAPIC_POLL_IRQ; hlt.</summary>
    private static Guest MakeHypercall(bool native)
    {
        Guest guest = WithHandler([.. Hypercall(native), 0xF4]);
        kvm_regs regs = guest.Vcpu.GetRegs();
        regs.rax = KvmPara.KVM_HC_VAPIC_POLL_IRQ;
        guest.Vcpu.SetRegs(in regs);
        return guest;
    }

    /// <summary>#UD ends in the HLT at <see cref="Handler"/>.</summary>
    private static Guest WithHandler(byte[] code)
    {
        var guest = new Guest(code);
        guest.Write(Handler, [0xF4]);
        guest.Write(6 * 4, [(byte)(Handler & 0xFF), (byte)(Handler >> 8), 0, 0]);
        return guest;
    }

    private static Guest WithDisabledApic()
    {
        // mov eax, ds:[30h]; out 1, al; with DS at the APIC's page
        var guest = new Guest([0x66, 0xA1, 0x30, 0x00, 0xE6, 0x01, 0xF4], irqchip: true);
        kvm_sregs sregs = guest.Vcpu.GetSregs();
        sregs.ds.@base = 0xFEE0_0000;
        sregs.apic_base &= ~(1ul << 11);
        guest.Vcpu.SetSregs(in sregs);
        return guest;
    }
}
