using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Svm;

namespace Akvam.KvmTests.Nested;

/// <summary>VMRUN and #VMEXIT: what is switched, and what is refused. semantics.md 4.2 to 4.5. [APM2 15.5] [APM2 15.6]</summary>
public sealed class Vmrun
{
    private static readonly byte[] Vmmcall = [0x0F, 0x01, 0xD9];

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void L2RunsUntilItIsInterceptedAndL1GoesOnBehindVmrun(EngineKind engine)
    {
        // mov eax,77h; mov ecx,1000; 1: add rbx,rcx; loop 1b; vmmcall
        using var h = new Hypervisor([0xB8, 0x77, 0, 0, 0, 0xB9, 0xE8, 3, 0, 0, 0x48, 0x01, 0xCB, 0xE2, 0xFB, .. Vmmcall], engine);
        VmcbControl c = h.RunToExit();
        Assert.Equal(SvmExitCode.Vmmcall, c.ExitCode);
        Assert.Equal(Hypervisor.L2Code + 15, h.Save.Rip);
        Assert.Equal(Hypervisor.L2Code + 18, c.NextRip);
        Assert.Equal(0x77ul, h.Save.Rax);
        Assert.Equal(Hypervisor.L2Stack, h.Save.Rsp);
        kvm_regs l1 = h.Vcpu.GetRegs();
        Assert.Equal((Hypervisor.AfterVmrun + 1, Hypervisor.Vmcb, 0x9000ul), (l1.rip, l1.rax, l1.rsp));
        Assert.Equal(500_500ul, l1.rbx);
        Assert.False(h.Gif);
    }

    public delegate void Change(ref VmcbControl control, ref VmcbSave save);

    public static TheoryData<string> Illegal => new(Illegalities.Keys);

    private static readonly Dictionary<string, Change> Illegalities = new()
    {
        ["VMRUN not intercepted"] = static (ref VmcbControl c, ref VmcbSave s) => Clear(ref c, SvmExitCode.Vmrun),
        ["ASID 0"] = static (ref VmcbControl c, ref VmcbSave s) => c.Asid = 0,
        ["IOPM beyond the address width"] = static (ref VmcbControl c, ref VmcbSave s) => c.IopmBase = (1ul << 48) - 0x2000,
        ["MSRPM beyond the address width"] = static (ref VmcbControl c, ref VmcbSave s) => c.MsrpmBase = (1ul << 48) - 0x1000,
        ["an injected event of a reserved type"] = static (ref VmcbControl c, ref VmcbSave s) => c.InjectedEvent = 0x8000_0520,
        ["an injected exception 2"] = static (ref VmcbControl c, ref VmcbSave s) => c.InjectedEvent = 0x8000_0302,
        ["no SVME"] = static (ref VmcbControl c, ref VmcbSave s) => s.Efer &= ~(1ul << 12),
        ["NW without CD"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr0 |= 1 << 29,
        ["CR0 above bit 31"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr0 |= 1ul << 32,
        ["DR6 above bit 31"] = static (ref VmcbControl c, ref VmcbSave s) => s.Dr6 |= 1ul << 32,
        ["DR7 above bit 31"] = static (ref VmcbControl c, ref VmcbSave s) => s.Dr7 |= 1ul << 32,
        ["a reserved bit of CR4"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr4 |= 1ul << 31,
        ["a reserved bit of EFER"] = static (ref VmcbControl c, ref VmcbSave s) => s.Efer |= 1ul << 9,
        ["long mode without PAE"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr4 &= ~0x20ul,
        ["long mode without PE"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr0 &= ~1ul,
        ["CR3 beyond the address width"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cr3 |= 1ul << 55,
        ["CS both long and big"] = static (ref VmcbControl c, ref VmcbSave s) => s.Cs.Attributes |= 1 << 10,
    };

    [Theory]
    [MemberData(nameof(Illegal))]
    public void AnIllegalVmcbIsRefusedWithoutRunningL2(string what)
    {
        using var h = new Hypervisor(Vmmcall);
        VmcbControl c = h.Control;
        VmcbSave s = h.Save;
        Illegalities[what](ref c, ref s);
        c.ExitInfo1 = 5;
        (h.Control, h.Save) = (c, s);
        c = h.RunToExit();
        Assert.Equal((ulong.MaxValue, 0ul), (c.ExitCode, c.ExitInfo1));
        Assert.Equal(Hypervisor.L2Code, h.Save.Rip);
        Assert.False(h.Gif);
    }

    [Fact]
    public void WhatIsIgnoredIsNoReasonToRefuse()
    {
        using var h = new Hypervisor(Vmmcall);
        VmcbControl c = h.Control;
        c.IopmBase |= 0x123;
        c.InterruptState = 0xFF00;
        c.TlbControl = 0x55;
        c.InjectedEvent = 0x0000_0700;
        h.Control = c;
        VmcbSave s = h.Save;
        s.Efer &= ~0x400ul;
        s.Rflags = 0xFFFF_FFFF_0000_0002;
        h.Save = s;
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    [Fact]
    public void OnlyTheCopyThatWasCheckedCounts()
    {
        // out 80h,al; vmmcall
        using var h = new Hypervisor([0xE6, 0x80, .. Vmmcall]);
        Assert.Equal(KvmExit.KVM_EXIT_IO, h.Vcpu.Run().Reason);
        Assert.True(h.InGuest);

        // Another processor takes the intercepts out while L2 runs.
        VmcbControl c = h.Control;
        Clear(ref c, SvmExitCode.Vmmcall);
        c.IopmBase = ulong.MaxValue;
        h.Control = c;
        Assert.Equal(SvmExitCode.Vmmcall, h.RunToExit().ExitCode);
    }

    [Fact]
    public void TheTscIsL1sPlusTheOffset()
    {
        // rdtsc; shl rdx,32; or rax,rdx; vmmcall
        using var h = new Hypervisor([0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, .. Vmmcall]);
        VmcbControl c = h.Control;
        c.TscOffset = 1ul << 60;
        h.Control = c;
        h.RunToExit();
        Assert.Equal(1ul, h.Save.Rax >> 60);
        kvm_msr_entry[] tsc = [new kvm_msr_entry { index = 0x10 }];
        Assert.Equal(1, h.Vcpu.GetMsrs(tsc));
        Assert.Equal(0ul, tsc[0].data >> 60);
    }

    [Theory]
    [InlineData(0xFFFul)]
    [InlineData(1ul << 50)]
    [InlineData(0x4000_0000ul)]
    public void AnAddressThatIsNoVmcbFaults(ulong address)
    {
        using var h = new Hypervisor(Vmmcall);
        kvm_regs regs = h.Vcpu.GetRegs();
        regs.rax = address;
        h.Vcpu.SetRegs(regs);

        // #GP without an IDT.
        Assert.Equal(KvmExit.KVM_EXIT_SHUTDOWN, h.Vcpu.Run().Reason);
    }

    private static unsafe void Clear(ref VmcbControl c, uint exitCode) => c.Intercepts[exitCode >> 5] &= ~(1u << (int)(exitCode & 31));
}
