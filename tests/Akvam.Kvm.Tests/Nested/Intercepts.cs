using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>What L1 intercepts: instructions, ports, MSRs, exceptions, events. semantics.md 4.5, 4.6. [APM2 15.7] to [APM2 15.14]</summary>
public sealed class Intercepts
{
    private static readonly byte[] Vmmcall = [0x0F, 0x01, 0xD9];

    public static TheoryData<string, byte[], uint> Instructions => new()
    {
        { "mov rax,cr0", [0x0F, 0x20, 0xC0], 0x00 },
        { "mov rax,cr3", [0x0F, 0x20, 0xD8], 0x03 },
        { "mov cr3,rax", [0x0F, 0x22, 0xD8], 0x13 },
        { "mov cr8,rax", [0x44, 0x0F, 0x22, 0xC0], 0x18 },
        { "clts", [0x0F, 0x06], 0x10 },
        { "smsw eax", [0x0F, 0x01, 0xE0], 0x00 },
        { "lmsw ax", [0x0F, 0x01, 0xF0], 0x10 },
        { "mov rax,dr7", [0x0F, 0x21, 0xF8], 0x27 },
        { "mov dr0,rax", [0x0F, 0x23, 0xC0], 0x30 },
        { "sidt [rsp]", [0x0F, 0x01, 0x0C, 0x24], SvmExitCode.ReadIdtr },
        { "sgdt [rsp]", [0x0F, 0x01, 0x04, 0x24], SvmExitCode.ReadGdtr },
        { "sldt eax", [0x0F, 0x00, 0xC0], SvmExitCode.ReadLdtr },
        { "str eax", [0x0F, 0x00, 0xC8], SvmExitCode.ReadTr },
        { "lidt [rsp]", [0x0F, 0x01, 0x1C, 0x24], SvmExitCode.WriteIdtr },
        { "lgdt [rsp]", [0x0F, 0x01, 0x14, 0x24], SvmExitCode.WriteGdtr },
        { "lldt ax", [0x0F, 0x00, 0xD0], SvmExitCode.WriteLdtr },
        { "rdtsc", [0x0F, 0x31], SvmExitCode.Rdtsc },
        { "pushfq", [0x9C], SvmExitCode.Pushf },
        { "popfq", [0x9D], SvmExitCode.Popf },
        { "cpuid", [0x0F, 0xA2], SvmExitCode.Cpuid },
        { "iretq", [0x48, 0xCF], SvmExitCode.Iret },
        { "int 80h", [0xCD, 0x80], SvmExitCode.SoftwareInterrupt },
        { "invd", [0x0F, 0x08], SvmExitCode.Invd },
        { "pause", [0xF3, 0x90], SvmExitCode.Pause },
        { "hlt", [0xF4], SvmExitCode.Hlt },
        { "invlpg [rax]", [0x0F, 0x01, 0x38], SvmExitCode.Invlpg },
        { "invlpga", [0x0F, 0x01, 0xDF], SvmExitCode.Invlpga },
        { "vmrun", [0x0F, 0x01, 0xD8], SvmExitCode.Vmrun },
        { "vmload", [0x0F, 0x01, 0xDA], SvmExitCode.Vmload },
        { "vmsave", [0x0F, 0x01, 0xDB], SvmExitCode.Vmsave },
        { "stgi", [0x0F, 0x01, 0xDC], SvmExitCode.Stgi },
        { "clgi", [0x0F, 0x01, 0xDD], SvmExitCode.Clgi },
        { "skinit", [0x0F, 0x01, 0xDE], SvmExitCode.Skinit },
        { "rdtscp", [0x0F, 0x01, 0xF9], SvmExitCode.Rdtscp },
        { "wbinvd", [0x0F, 0x09], SvmExitCode.Wbinvd },
        { "int1", [0xF1], SvmExitCode.Icebp },
    };

    [Theory]
    [MemberData(nameof(Instructions))]
    public void AnInstructionIsLeftUndone(string name, byte[] code, uint exitCode)
    {
        _ = name;
        using var h = new Hypervisor([.. code, .. Vmmcall]);
        h.Intercept(exitCode);
        VmcbControl c = h.RunToExit();
        Assert.Equal(exitCode, c.ExitCode);
        Assert.Equal(Hypervisor.L2Code, h.Save.Rip);
        Assert.Equal(Hypervisor.L2Code + (ulong)code.Length, c.NextRip);
        Assert.Equal(0x1234ul, h.Save.Rax);
        Assert.Equal(Hypervisor.L2Stack, h.Save.Rsp);
    }

    [Theory]
    [InlineData("mov rax,cr0", new byte[] { 0x0F, 0x20, 0xC0 })]
    [InlineData("cpuid", new byte[] { 0x0F, 0xA2 })]
    [InlineData("pushfq", new byte[] { 0x9C })]
    [InlineData("clgi, stgi", new byte[] { 0x0F, 0x01, 0xDD, 0x0F, 0x01, 0xDC })]
    public void WithoutTheInterceptItIsExecuted(string name, byte[] code)
    {
        _ = name;
        using var h = new Hypervisor([.. code, .. Vmmcall]);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal(Hypervisor.L2Code + (ulong)code.Length, h.Save.Rip);
    }

    [Fact]
    public void TheOtherVendorsHypercallIsPatchedAndThenIntercepted()
    {
        // vmcall
        using var h = new Hypervisor([0x0F, 0x01, 0xC1]);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal(Hypervisor.L2Code, h.Save.Rip);
        Assert.Equal(Vmmcall, h.Guest.Read(Hypervisor.L2Code, 3));
    }

    [Theory]
    [InlineData(0x80000033u, SvmExitCode.Vmmcall)]
    [InlineData(0x80000039u, SvmExitCode.Vmmcall)]
    [InlineData(0x80000035u, SvmExitCode.Cr0SelectiveWrite)]
    public void TheSelectiveInterceptLetsTsAndMpThrough(uint cr0, uint exitCode)
    {
        // mov eax,cr0'; mov cr0,rax
        using var h = new Hypervisor([0xB8, .. BitConverter.GetBytes(cr0), 0x0F, 0x22, 0xC0, .. Vmmcall]);
        VmcbSave save = h.Save;
        save.Cr0 = 0x80000031;
        h.Save = save;
        h.Intercept(SvmExitCode.Cr0SelectiveWrite);
        Assert.Equal(exitCode, h.RunToExit().ExitCode);
    }

    [Fact]
    public void APortIsInterceptedByItsBit()
    {
        // out 81h,al (not intercepted); in eax,7Eh (its last byte is)
        using var h = new Hypervisor([0xE6, 0x83, 0xE5, 0x7E, .. Vmmcall]);
        h.Intercept(SvmExitCode.Io);
        h.Guest.Write(Hypervisor.Iopm + (0x81 >> 3), [1 << 1]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        VmcbControl c = h.RunToExit();
        Assert.Equal(SvmExitCode.Io, c.ExitCode);
        Assert.Equal(0x007E_0041ul, c.ExitInfo1);
        Assert.Equal(Hypervisor.L2Code + 4, c.ExitInfo2);
        Assert.Equal(Hypervisor.L2Code + 2, h.Save.Rip);
    }

    [Fact]
    public void AnMsrIsInterceptedByItsBitAndOneThatHasNoneAlways()
    {
        // mov ecx,174h; rdmsr; wrmsr
        using var h = new Hypervisor([0xB9, 0x74, 1, 0, 0, 0x0F, 0x32, 0x0F, 0x30, .. Vmmcall]);
        h.Intercept(SvmExitCode.Msr);
        h.Guest.Write(Hypervisor.Msrpm + (0x174 / 4), [2]);
        VmcbControl c = h.RunToExit();
        Assert.Equal((SvmExitCode.Msr, 1ul), ((uint)c.ExitCode, c.ExitInfo1));
        Assert.Equal(Hypervisor.L2Code + 7, h.Save.Rip);

        // mov ecx,40000000h; rdmsr
        using var outside = new Hypervisor([0xB9, 0, 0, 0, 0x40, 0x0F, 0x32, .. Vmmcall]);
        outside.Intercept(SvmExitCode.Msr);
        c = outside.RunToExit();
        Assert.Equal((SvmExitCode.Msr, 0ul), ((uint)c.ExitCode, c.ExitInfo1));
    }

    [Fact]
    public void APageFaultTellsItsAddressAndLeavesCr2()
    {
        // mov [40000000h],eax
        using var h = new Hypervisor([0x89, 0x04, 0x25, 0, 0, 0, 0x40, .. Vmmcall]);
        VmcbSave save = h.Save;
        save.Cr2 = 0x99;
        h.Save = save;
        h.Intercept(SvmExitCode.Exception0 + 14);
        VmcbControl c = h.RunToExit();
        Assert.Equal((SvmExitCode.Exception0 + 14, 2ul, 0x4000_0000ul), ((uint)c.ExitCode, c.ExitInfo1, c.ExitInfo2));
        Assert.Equal((Hypervisor.L2Code, 0x99ul, 0ul), (h.Save.Rip, h.Save.Cr2, c.ExitEvent));
    }

    [Fact]
    public void AFaultDuringADeliveryTellsWhatWasBeingDelivered()
    {
        // int 30h, for which the IDT has nothing: #NP, selector error 30h * 8 + 2
        using var h = new Hypervisor([0xCD, 0x30, .. Vmmcall]);
        h.Intercept(SvmExitCode.Exception0 + 13, SvmExitCode.Exception0 + 11);
        VmcbControl c = h.RunToExit();
        Assert.InRange(c.ExitCode, SvmExitCode.Exception0 + 11, SvmExitCode.Exception0 + 13);
        Assert.Equal(0x182ul, c.ExitInfo1);
        Assert.Equal(0x8000_0430ul, c.ExitEvent);
        Assert.Equal(Hypervisor.L2Code, h.Save.Rip);
    }

    [Fact]
    public void ATripleFaultIsL1sIfItWantsIt()
    {
        // ud2 with an empty IDT
        using var h = new Hypervisor([0x0F, 0x0B]);
        h.Intercept(SvmExitCode.Shutdown);
        VmcbSave save = h.Save;
        save.Idtr = new VmcbSegment { Base = Hypervisor.Idt, Limit = 0 };
        h.Save = save;
        Assert.Equal(SvmExitCode.Shutdown, h.RunToExit().ExitCode);

        using var without = new Hypervisor([0x0F, 0x0B]);
        without.Save = save;
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, without.Vcpu.Run().Reason);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ATripleFaultOfTheClientIsL2s(bool intercepted)
    {
        // in al,dx
        using var h = new Hypervisor([0xEC, .. Vmmcall]);
        h.Intercept(intercepted ? [SvmExitCode.Shutdown] : []);
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_X86_TRIPLE_FAULT_EVENT };
        cap.args[0] = 1;
        h.Guest.Vm.EnableCap(cap);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        kvm_vcpu_events events = h.Vcpu.GetVcpuEvents();
        events.flags |= KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        events.triple_fault.pending = 1;
        h.Vcpu.SetVcpuEvents(events);
        h.Vcpu.RunPage.immediate_exit = 1;
        h.Vcpu.Run();
        h.Vcpu.RunPage.immediate_exit = 0;
        Assert.Equal(1, h.Vcpu.GetVcpuEvents().triple_fault.pending);
        if (intercepted)
        {
            Assert.Equal(SvmExitCode.Shutdown, h.RunToExit().ExitCode);
        }
        else
        {
            Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, h.Vcpu.Run().Reason);
        }
    }

    [Theory]
    [InlineData(true, 12u, 0x22u)]
    [InlineData(false, 13u, 0x62u)]
    public void AnExceptionOfTheClientIsInterceptedUntilItsDeliveryBegins(bool pending, uint vector, uint errorCode)
    {
        // in al,dx; L2's IDT is empty, so that a delivery ends in #GP
        using var h = new Hypervisor([0xEC, .. Vmmcall]);
        h.Intercept(SvmExitCode.Exception0 + 12, SvmExitCode.Exception0 + 13);
        VmcbSave save = h.Save;
        save.Idtr = new VmcbSegment { Base = Hypervisor.Idt, Limit = 0 };
        h.Save = save;
        var cap = new kvm_enable_cap { cap = KvmCap.KVM_CAP_EXCEPTION_PAYLOAD };
        cap.args[0] = 1;
        h.Guest.Vm.EnableCap(cap);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        kvm_vcpu_events events = h.Vcpu.GetVcpuEvents();
        events.flags = KvmState.KVM_VCPUEVENT_VALID_PAYLOAD;
        (events.exception.pending, events.exception.injected) = pending ? ((byte)1, (byte)0) : ((byte)0, (byte)1);
        events.exception.nr = 12;
        events.exception.has_error_code = 1;
        events.exception.error_code = 0x22;
        h.Vcpu.SetVcpuEvents(events);
        VmcbControl c = h.RunToExit();
        Assert.Equal((SvmExitCode.Exception0 + vector, (ulong)errorCode), ((uint)c.ExitCode, c.ExitInfo1));
        Assert.Equal(pending ? 0 : 0x0000_0022_8000_0B0Cul, c.ExitEvent);
    }

    [Fact]
    public void AnInterruptOfTheMachineLeavesL2EvenWhileItHoldsInterruptsOff()
    {
        // out 80h,al; 1: jmp 1b
        using var h = new Hypervisor([0xE6, 0x80, 0xEB, 0xFE]);
        h.Intercept(SvmExitCode.Nmi);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Nmi();
        Assert.Equal(SvmExitCode.Nmi, h.RunToExit().ExitCode);

        // It waits for L1's STGI.
        Assert.Equal(1, h.Vcpu.GetVcpuEvents().nmi.pending);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void AVirtualInterruptIsTakenWhenL2AllowsIt(EngineKind engine)
    {
        // nop; sti; nop; vmmcall
        using var h = new Hypervisor([0x90, 0xFB, 0x90, .. Vmmcall], engine);
        h.Handle(0x41, [0xB8, 0x41, 0, 0, 0, .. Vmmcall]);
        VmcbControl c = h.Control;
        c.VirtualInterrupt = VmcbControl.VIrq | (5u << VmcbControl.VPriorityShift) | 4;
        c.VirtualVector = 0x41;
        h.Control = c;
        c = h.RunToExit();
        Assert.Equal(SvmExitCode.Vmmcall, c.ExitCode);
        Assert.Equal(Hypervisor.Handler + 5, h.Save.Rip);
        Assert.Equal(0x41ul, h.Save.Rax);
        Assert.Equal(0u, c.VirtualInterrupt & VmcbControl.VIrq);
    }

    [Fact]
    public void AVirtualInterruptWaitsForItsPriority()
    {
        using var h = new Hypervisor([0xFB, 0x90, 0x90, .. Vmmcall]);
        VmcbControl c = h.Control;
        c.VirtualInterrupt = VmcbControl.VIrq | (5u << VmcbControl.VPriorityShift) | 5;
        c.VirtualVector = 0x41;
        h.Control = c;
        c = h.RunToExit();
        Assert.Equal(Hypervisor.L2Code + 3, h.Save.Rip);
        Assert.NotEqual(0u, c.VirtualInterrupt & VmcbControl.VIrq);
    }

    [Fact]
    public void AVirtualInterruptCanBeIntercepted()
    {
        using var h = new Hypervisor([0xFB, 0x90, 0x90, .. Vmmcall]);
        h.Intercept(SvmExitCode.Vintr);
        VmcbControl c = h.Control;
        c.VirtualInterrupt = VmcbControl.VIrq | VmcbControl.VIgnoreTpr;
        c.VirtualVector = 0x41;
        h.Control = c;
        c = h.RunToExit();
        Assert.Equal(SvmExitCode.Vintr, c.ExitCode);
        Assert.Equal(Hypervisor.L2Code + 2, h.Save.Rip);
    }

    [Fact]
    public void AnInjectedEventComesFirstWhateverTheFlagsSay()
    {
        using var h = new Hypervisor(Vmmcall);
        h.Handle(0x55, [0xB8, 0x55, 0, 0, 0, .. Vmmcall]);
        VmcbControl c = h.Control;
        c.InjectedEvent = 0x8000_0055;
        h.Control = c;
        c = h.RunToExit();
        Assert.Equal((0x55ul, 0ul), (h.Save.Rax, c.InjectedEvent));
        Assert.Equal(Hypervisor.Handler + 5, h.Save.Rip);
    }

    [Fact]
    public void MaskedInterruptsGiveL2ATaskPriorityOfItsOwn()
    {
        // mov eax,9; mov cr8,rax; xor eax,eax; mov rax,cr8
        using var h = new Hypervisor([0xB8, 9, 0, 0, 0, 0x44, 0x0F, 0x22, 0xC0, 0x31, 0xC0, 0x44, 0x0F, 0x20, 0xC0, .. Vmmcall]);
        VmcbControl c = h.Control;
        c.VirtualInterrupt = VmcbControl.VInterruptMasking;
        h.Control = c;
        c = h.RunToExit();
        Assert.Equal((9ul, 9u), (h.Save.Rax, c.VirtualInterrupt & VmcbControl.VTprMask));
        Assert.Equal(0ul, h.Vcpu.GetSregs().cr8);
    }
}
