using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>An SMI while L2 runs. semantics.md 3.5, 8 (G15, G20, G22 to G31). [APM2 15.13.3] [APM2 15.22.3]</summary>
public sealed class SmiInL2
{
    private const ulong Smbase = 0x30000, Handler = Smbase + 0x8000, GuestFlag = Smbase + 0xFED8, GuestVmcb = Smbase + 0xFEE0, SavedEfer = Smbase + 0xFED0;
    private const ulong SavedRip = Smbase + 0xFF78, SavedRax = Smbase + 0xFFF8, HostArea = Hypervisor.HostSave + VmcbSave.Offset;
    private const int PageSize = 4096;

    /// <summary>Where SMI and #VMEXIT write in a save area: ES to DS, GDTR, IDTR, CPL, EFER, CR4 to CR0, RFLAGS and RIP, RSP, RAX.</summary>
    private static readonly (int Offset, int Length)[] s_written = [(0, 64), (0x60, 16), (0x80, 16), (0xCB, 1), (0xD0, 8), (0x148, 24), (0x170, 16), (0x1D8, 8), (0x1F8, 8)];

    /// <summary>out 80h,al; mov ebx,5; vmmcall</summary>
    private static readonly byte[] L2 = [0xE6, 0x80, 0xBB, 5, 0, 0, 0, 0x0F, 0x01, 0xD9];

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void TheHandlerRunsAndRsmGoesBackIntoL2(EngineKind engine)
    {
        using var h = new Hypervisor(L2, engine);

        // inc byte [9000h]; rsm
        Prepare(h, [0x67, 0xFE, 0x05, 0, 0x90, 0, 0, 0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        VmcbControl c = h.RunToExit();
        Assert.Equal(SvmExitCode.Vmmcall, c.ExitCode);
        Assert.Equal((Hypervisor.L2Code + 7, 0x1234ul), (h.Save.Rip, h.Save.Rax));
        Assert.Equal(5ul, h.Vcpu.GetRegs().rbx);
        Assert.Equal(1, Read(h, 0x9000, 1)[0]);
    }

    [Fact]
    public void G28_TheHandlerSeesL1AndTheImageL2()
    {
        using var h = new Hypervisor(L2);

        // out 90h,al; rsm
        Prepare(h, [0xE6, 0x90, 0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        Assert.Equal(0x90, h.Vcpu.RunPage.io.port);
        Assert.False(h.InGuest);
        Assert.Equal(SvmExitCode.Software, h.Control.ExitCode);
        Assert.Equal((1ul, Hypervisor.Vmcb), (BitConverter.ToUInt64(Read(h, GuestFlag, 8)), BitConverter.ToUInt64(Read(h, GuestVmcb, 8))));
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    /// <summary>What the handler, or somebody else, spoils before RSM.</summary>
    public static TheoryData<string> Spoilt => new(s_spoil.Keys);

    private static readonly Dictionary<string, Action<Hypervisor>> s_spoil = new()
    {
        ["ASID 0"] = static h => Put(h, 0, Hypervisor.Vmcb + 0x58, 0),
        ["VMRUN not intercepted"] = static h => Put(h, 0, Hypervisor.Vmcb + 0x10, 0),
        ["L2's CR0 above bit 31"] = static h => Put(h, 0, Hypervisor.Vmcb + VmcbSave.Offset + 0x158, 0x1_8000_0011),
        ["L2's DR7 above bit 31"] = static h => Put(h, 0, Hypervisor.Vmcb + VmcbSave.Offset + 0x160, 1ul << 32),
        ["L2's EFER without SVME"] = static h => Put(h, 0, Hypervisor.Vmcb + VmcbSave.Offset + 0xD0, 0x500),
        ["L1's EFER without SVME"] = static h => Put(h, 0, HostArea + 0xD0, 0x500),
        ["L1 without paging"] = static h => Put(h, 0, HostArea + 0x158, 0x11),
        ["L1 in virtual-8086 mode"] = static h => Put(h, 0, HostArea + 0x170, 0x2_0002),
        ["L1's CR4 reserved"] = static h => Put(h, 0, HostArea + 0x148, 0x8000_0020),
        ["no SVME in the image"] = static h => Put(h, 1, SavedEfer, 0x500),
        ["VMCB not on a page, though it is there"] = static h =>
        {
            h.Guest.Write(Hypervisor.Vmcb + 8, h.Guest.Read(Hypervisor.Vmcb, PageSize));
            Put(h, 1, GuestVmcb, Hypervisor.Vmcb + 8);
        },
        ["VMCB beyond the address width"] = static h => Put(h, 1, GuestVmcb, Hypervisor.Vmcb | 1ul << 50),
        ["no memory at the VMCB"] = static h => Put(h, 1, GuestVmcb, 0x4000_0000),
        ["no memory at the host save area"] = static h => h.Vcpu.SetMsrs([new kvm_msr_entry { index = Hypervisor.MsrHostSave, data = 0x4000_0000 }]),
        ["CR4 of the image reserved"] = static h => Put(h, 1, Smbase + 0xFF48, 0x8000_0020),
    };

    [Theory]
    [MemberData(nameof(Spoilt))]
    public void G15_G20_G31_AReturnThatFailsShutsDownWithoutAnExitAndOutsideGuestMode(string what)
    {
        using var h = new Hypervisor(L2);
        StopInHandler(h);
        s_spoil[what](h);
        byte[] vmcb = h.Guest.Read(Hypervisor.Vmcb, PageSize);
        VcpuExit exit = h.Vcpu.Run();
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, exit.Reason);
        Assert.False(exit.InSmm);
        Assert.False(h.InGuest);
        Assert.Equal(vmcb, h.Guest.Read(Hypervisor.Vmcb, PageSize));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void G10_TheClientsSmmLeavesL2WithoutAnExit(bool there)
    {
        // Nothing happens while the flag stays as it is.
        using var h = new Hypervisor(L2);
        Prepare(h, [0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        kvm_vcpu_events events = h.Vcpu.GetVcpuEvents();
        events.smi.smm = there ? (byte)1 : (byte)0;
        h.Vcpu.SetVcpuEvents(events);
        Assert.Equal(!there, h.InGuest);
        Assert.Equal(0ul, h.Control.ExitCode);
    }

    [Fact]
    public void InSmmThereIsNoVmrunAndNoNestedStateToRestore()
    {
        using var h = new Hypervisor(L2);
        Prepare(h, [0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        byte[] state = h.Vcpu.GetNestedState();
        using var other = new Hypervisor(L2);
        Prepare(other, [0x0F, 0xAA]);
        other.Guest.Vm.WriteMemory(0, other.Guest.Read(0, (int)Guest.MemorySize), space: 1);
        kvm_vcpu_events events = other.Vcpu.GetVcpuEvents();
        events.smi.smm = 1;
        other.Vcpu.SetVcpuEvents(events);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => other.Vcpu.SetNestedState(state)).Errno);

        // #UD without an IDT.
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, other.Vcpu.Run().Reason);
        Assert.Equal(Guest.CodeAddress, other.Vcpu.GetRegs().rip);
        Assert.False(other.InGuest);
    }

    [Fact]
    public void G22_L1IsKeptInItsHostSaveAreaAndNoOtherByteThereChanges()
    {
        using var h = new Hypervisor(L2);
        h.Guest.Write(Hypervisor.HostSave, [.. Enumerable.Repeat((byte)0xEE, PageSize)]);
        kvm_sregs l1 = h.Vcpu.GetSregs();
        StopInHandler(h);
        byte[] page = h.Guest.Read(Hypervisor.HostSave, PageSize);
        for (int n = 0; n < PageSize; n++)
        {
            int at = n - VmcbSave.Offset;
            Assert.True(Array.Exists(s_written, w => at >= w.Offset && at < w.Offset + w.Length) || page[n] == 0xEE, $"byte {n:x}");
        }

        VmcbSave saved = System.Runtime.InteropServices.MemoryMarshal.Read<VmcbSave>(page.AsSpan(VmcbSave.Offset));
        Assert.Equal((Hypervisor.AfterVmrun, Hypervisor.Vmcb, 0x9000ul, 2ul, (byte)0), (saved.Rip, saved.Rax, saved.Rsp, saved.Rflags, saved.Cpl));
        Assert.Equal((l1.cr0, l1.cr3, l1.cr4, l1.efer), (saved.Cr0, saved.Cr3, saved.Cr4, saved.Efer));
        Assert.Equal((l1.cs.selector, l1.ss.selector, (ulong)l1.gdt.limit, l1.idt.@base), (saved.Cs.Selector, saved.Ss.Selector, saved.Gdtr.Limit, saved.Idtr.Base));
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    [Fact]
    public void G23_RsmTakesL1FromTheHostSaveAreaBeforeL2GoesOn()
    {
        // L1 goes on at another HLT then.
        using var h = new Hypervisor(L2);
        StopInHandler(h);
        h.Guest.Write(0x1100, [0xF4]);
        Put(h, 0, HostArea + 0x178, 0x1100);
        Put(h, 0, HostArea + 0x1D8, 0x8800);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal((0x1101ul, 0x8800ul), (h.Vcpu.GetRegs().rip, h.Vcpu.GetRegs().rsp));
        Assert.Equal(Hypervisor.L2Stack, h.Save.Rsp);
    }

    [Fact]
    public void G24_AnInterceptedSmiSkipsNoInstructionAndComesWithL1sStgi()
    {
        // L1, behind VMRUN: stgi; hlt. The handler: inc byte [9000h]; rsm.
        using var h = new Hypervisor(L2);
        h.Guest.Write(Hypervisor.AfterVmrun, [0x0F, 0x01, 0xDC, 0xF4]);
        Prepare(h, [0x67, 0xFE, 0x05, 0, 0x90, 0, 0, 0x0F, 0xAA]);
        h.Intercept(SvmExitCode.Smi);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        VmcbControl c = h.RunToExit();
        Assert.Equal((SvmExitCode.Smi, 0ul, 0ul), (c.ExitCode, c.ExitInfo1, c.ExitInfo2));
        Assert.Equal(Hypervisor.L2Code + 2, h.Save.Rip);
        Assert.Equal(1, Read(h, 0x9000, 1)[0]);
        Assert.Equal((0ul, Hypervisor.AfterVmrun + 3), (Get(h, 1, GuestFlag), Get(h, 1, SavedRip)));
        Assert.Equal(0, h.Vcpu.GetVcpuEvents().smi.pending);
    }

    [Fact]
    public void L1MayInterceptIt()
    {
        using var h = new Hypervisor(L2);
        Prepare(h, [0x0F, 0xAA]);
        h.Intercept(SvmExitCode.Smi);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        Assert.Equal(SvmExitCode.Smi, h.RunToExit().ExitCode);

        // It waits for L1's STGI.
        Assert.Equal(1, h.Vcpu.GetVcpuEvents().smi.pending);
        Assert.Equal(Hypervisor.L2Code + 2, h.Save.Rip);
    }

    [Fact]
    public void G25_WithoutAHostSaveAreaVmrunIsRefused()
    {
        using var h = new Hypervisor(L2);
        h.Vcpu.SetMsrs([new kvm_msr_entry { index = Hypervisor.MsrHostSave }]);

        // #GP without an IDT.
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, h.Vcpu.Run().Reason);
        Assert.Equal(Guest.CodeAddress, h.Vcpu.GetRegs().rip);
        Assert.False(h.InGuest);
    }

    [Fact]
    public void G26_AnExitRightAfterRsmHasL2AsItWasInterrupted()
    {
        // An NMI that L1 intercepts is latched while the handler runs.
        using var h = new Hypervisor(L2);
        h.Intercept(SvmExitCode.Nmi);
        StopInHandler(h);
        h.Vcpu.Nmi();
        VmcbControl c = h.RunToExit();
        Assert.Equal((SvmExitCode.Nmi, 0ul), (c.ExitCode, c.ExitEvent));
        VmcbSave save = h.Save;
        Assert.Equal((Hypervisor.L2Code + 2, 0x1234ul, Hypervisor.L2Stack, 2ul), (save.Rip, save.Rax, save.Rsp, save.Rflags));
        Assert.Equal(1, h.Vcpu.GetVcpuEvents().nmi.pending);
    }

    [Fact]
    public void G27_AllOfL1IsBackAfterL2sNextExit()
    {
        using var plain = new Hypervisor(L2);
        plain.Vcpu.Run();
        plain.RunToExit();
        using var h = new Hypervisor(L2);
        StopInHandler(h);
        h.RunToExit();
        AbiAssert.Equal(plain.Vcpu.GetSregs(), h.Vcpu.GetSregs());
        AbiAssert.Equal(plain.Vcpu.GetRegs(), h.Vcpu.GetRegs());
        Assert.Equal(plain.Vcpu.GetNestedState(), h.Vcpu.GetNestedState());
        Assert.Equal(plain.Save, h.Save);
    }

    [Fact]
    public void G29_SvmIsOffInTheHandlerAndComesBack()
    {
        using var h = new Hypervisor(L2);
        StopInHandler(h);
        Assert.Equal(0ul, h.Vcpu.GetSregs().efer);
        Assert.True(h.Gif);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal(0x1500ul, h.Vcpu.GetSregs().efer);
    }

    [Fact]
    public void WhatTheHandlerChangesInTheImageCountsInL2()
    {
        using var h = new Hypervisor(L2);
        StopInHandler(h);
        Put(h, 1, SavedRax, 0x9876);
        Put(h, 1, SavedRip, Hypervisor.L2Code + 7);
        Put(h, 1, Smbase + 0xFFD8, 0x8100);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal((Hypervisor.L2Code + 7, 0x9876ul, 0x8100ul), (h.Save.Rip, h.Save.Rax, h.Save.Rsp));
        Assert.Equal(0ul, h.Vcpu.GetRegs().rbx);
    }

    [Fact]
    public void L2HasItsCr2Back()
    {
        using var h = new Hypervisor(L2);
        h.Save = h.Save with { Cr2 = 0x4321 };
        StopInHandler(h);
        h.Vcpu.SetSregs(h.Vcpu.GetSregs() with { cr2 = 0 });
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal(0x4321ul, h.Save.Cr2);
    }

    [Fact]
    public void TheLevelOfL2SurvivesANullStackSegment()
    {
        using var h = new Hypervisor(L2);
        VmcbSave save = h.Save;
        save.Cpl = 3;
        save.Cs.Attributes = 0xAFB;
        save.Ss = default;
        save.Rflags |= 3 << 12;
        h.Save = save;
        StopInHandler(h);
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
        Assert.Equal(3, h.Save.Cpl);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void D8_AHandlerThatClearsGifLeavesItSetForTheProgramItInterrupted(bool inL2)
    {
        // mov ecx, 0C0000080h; rdmsr; or ah, 10h (SVME); wrmsr; mov eax, cr0; or al, 1; mov cr0, eax; clgi; out 90h, al; rsm
        using var h = new Hypervisor(L2);
        Prepare(h, [0x66, 0xB9, 0x80, 0, 0, 0xC0, 0x0F, 0x32, 0x80, 0xCC, 0x10, 0x0F, 0x30, 0x0F, 0x20, 0xC0, 0x0C, 1, 0x0F, 0x22, 0xC0, 0x0F, 0x01, 0xDD, 0xE6, 0x90, 0x0F, 0xAA]);
        if (inL2)
        {
            Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        }

        h.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        Assert.Equal((0x90, false), (h.Vcpu.RunPage.io.port, h.Gif));
        Assert.Equal(KvmExit.KVM_EXIT_INTR, h.Vcpu.Run(1).Reason);
        Assert.Equal((0, inL2, true), (h.Vcpu.GetVcpuEvents().smi.smm, h.InGuest, h.Gif));
    }

    [Fact]
    public void D17_ACpuidWithSvmAndWithoutLongModeIsRefused()
    {
        using var h = new Hypervisor(L2);
        kvm_cpuid_entry2[] table = h.Vcpu.GetCpuid2();
        foreach (ref kvm_cpuid_entry2 e in table.AsSpan())
        {
            e.edx &= e.function == 0x8000_0001 ? ~(1u << 29) : ~0u;
        }

        Assert.Equal(Errno.EINVAL, Assert.Throws<KvmException>(() => h.Vcpu.SetCpuid2(table)).Errno);
        foreach (ref kvm_cpuid_entry2 e in table.AsSpan())
        {
            e.ecx &= e.function == 0x8000_0001 ? ~4u : ~0u;
        }

        h.Vcpu.SetCpuid2(table);
    }

    /// <summary>L2 has executed its OUT; the handler has executed its own, and RSM is next.</summary>
    private static void StopInHandler(Hypervisor h)
    {
        Prepare(h, [0xE6, 0x90, 0x0F, 0xAA]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        h.Vcpu.Smi();
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        Assert.Equal(0x90, h.Vcpu.RunPage.io.port);
    }

    private static void Put(Hypervisor h, int space, ulong address, ulong value) => h.Guest.Vm.WriteMemory(address, BitConverter.GetBytes(value), space);

    private static ulong Get(Hypervisor h, int space, ulong address)
    {
        var data = new byte[8];
        h.Guest.Vm.ReadMemory(address, data, space);
        return BitConverter.ToUInt64(data);
    }

    private static void Prepare(Hypervisor h, ReadOnlySpan<byte> handler)
    {
        h.Guest.Vm.MapMemory(1 << 16, 0, h.Guest.Vm.AllocateMemory(Smbase + 0x10000));
        h.Guest.Vm.WriteMemory(Handler, handler, space: 1);
    }

    private static byte[] Read(Hypervisor h, ulong address, int length)
    {
        var data = new byte[length];
        h.Guest.Vm.ReadMemory(address, data, space: 1);
        return data;
    }
}
