using Akvam.Abi;

namespace Akvam.KvmTests.Running;

/// <summary>KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG. [KVM 4.87]</summary>
public sealed class GuestDebugging
{
    // inc bx; inc bx; int3; inc bx; hlt
    private static readonly byte[] Code = [0x43, 0x43, 0xCC, 0x43, 0xF4];

    [Fact]
    public void SingleStepExitsAfterEveryInstruction()
    {
        using var guest = new Guest(Code);
        guest.Vcpu.SetGuestDebug(new kvm_guest_debug { control = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_SINGLESTEP });
        for (ulong step = 1; step <= 2; step++)
        {
            VcpuExit exit = guest.Vcpu.Run();
            Assert.Equal(KvmExit.KVM_EXIT_DEBUG, exit.Reason);
            Assert.Equal(1u, exit.Debug.exception);
            Assert.Equal(0x1000 + step, exit.Debug.pc);
            Assert.NotEqual(0ul, exit.Debug.dr6 & 0x4000);
            Assert.Equal(step, guest.Vcpu.GetRegs().rbx);
            Assert.Equal(2ul, guest.Vcpu.GetRegs().rflags & 0x102);
        }
    }

    [Fact]
    public void ASoftwareBreakpointExitsBeforeTheInstruction()
    {
        using var guest = new Guest(Code);
        guest.Vcpu.SetGuestDebug(new kvm_guest_debug { control = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_SW_BP });
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_DEBUG, exit.Reason);
        Assert.Equal(3u, exit.Debug.exception);
        Assert.Equal(0x1002ul, exit.Debug.pc);
        Assert.Equal(0x1002ul, guest.Vcpu.GetRegs().rip);
        guest.Vcpu.SetRegs(guest.Vcpu.GetRegs() with { rip = 0x1003 });
        Assert.Equal(KvmExit.KVM_EXIT_HLT, guest.Vcpu.Run().Reason);
        Assert.Equal(3ul, guest.Vcpu.GetRegs().rbx);
    }

    [Fact]
    public void AHardwareBreakpointIsTheClientsAndTheGuestsRegistersStay()
    {
        using var guest = new Guest(Code);
        var debug = new kvm_guest_debug { control = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_HW_BP };
        debug.arch.debugreg[0] = 0x1001;
        debug.arch.debugreg[7] = 0x401;
        guest.Vcpu.SetGuestDebug(debug);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_DEBUG, exit.Reason);
        Assert.Equal(1u, exit.Debug.exception);
        Assert.Equal(0x1001ul, exit.Debug.pc);
        Assert.Equal(1ul, exit.Debug.dr6 & 0xF);
        kvm_debugregs regs = guest.Vcpu.GetDebugregs();
        Assert.Equal(0ul, regs.db[0]);
        Assert.Equal(0x400ul, regs.dr7);
    }

    [Fact]
    public void WhileTheClientHasBreakpointsTheGuestFindsItsOwnRegisters()
    {
        // mov eax, 1234h; mov dr0, eax; mov ebx, dr0; mov ecx, dr7; hlt
        using var guest = new Guest([0x66, 0xB8, 0x34, 0x12, 0x00, 0x00, 0x0F, 0x23, 0xC0, 0x0F, 0x21, 0xC3, 0x0F, 0x21, 0xF9, 0xF4]);
        var debug = new kvm_guest_debug { control = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_HW_BP };
        debug.arch.debugreg[0] = 0x100F;
        debug.arch.debugreg[7] = 0x401;
        guest.Vcpu.SetGuestDebug(debug);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_DEBUG, exit.Reason);
        Assert.Equal(0x100Ful, exit.Debug.pc);
        kvm_regs regs = guest.Vcpu.GetRegs();
        Assert.Equal((0x1234ul, 0x400ul), (regs.rbx, regs.rcx));
        Assert.Equal(0x1234ul, guest.Vcpu.GetDebugregs().db[0]);
        Assert.Equal(0x400ul, guest.Vcpu.GetDebugregs().dr7);
    }

    /// <summary>DR7.GD of the client stops the guest's MOV. [SDM3 18.2.4]</summary>
    [Fact]
    public void TheClientsGeneralDetectIsAnExit()
    {
        // mov ebx, dr0; hlt
        using var guest = new Guest([0x0F, 0x21, 0xC3, 0xF4]);
        var debug = new kvm_guest_debug { control = KvmState.KVM_GUESTDBG_ENABLE | KvmState.KVM_GUESTDBG_USE_HW_BP };
        debug.arch.debugreg[7] = 0x400 | 1 << 13;
        guest.Vcpu.SetGuestDebug(debug);
        VcpuExit exit = guest.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_DEBUG, exit.Reason);
        Assert.Equal(Guest.CodeAddress, exit.Debug.pc);
        Assert.Equal(1ul << 13, exit.Debug.dr6 & 1 << 13);
    }

    [Fact]
    public void UnknownControlBitsAreRefused()
    {
        using var guest = new Guest(Code);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => guest.Vcpu.SetGuestDebug(new kvm_guest_debug { control = 1u << 30 })).Errno);
    }
}
