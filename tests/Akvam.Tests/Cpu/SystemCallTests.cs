using Akvam.Cpu.Flags;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, STI. [APM3 SYSCALL] [APM3 SYSRET] [SDM2 SYSENTER]</summary>
public sealed unsafe class SystemCallTests
{
    private const ulong Target = 0xC000;

    [Fact]
    public void Syscall_and_sysret_in_64_bit_mode()
    {
        using SystemMachine m = Long(3);
        m.State->Star = 0x0010_0008ul << 32;
        m.State->Lstar = Target;
        m.State->Sfmask = Rflags.IF | Rflags.CF;
        m.State->SystemFlags |= Rflags.IF | Rflags.ID;
        LazyFlags.WriteLazy(m.State, Rflags.CF | Rflags.ZF);
        new byte[] { 0x48, 0x0F, 0x07 }.CopyTo(m.Memory[(int)Target..]);
        m.Run(1, 0x0F, 0x05);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal((ulong)Code + 2, m.State->Gpr[Register.Rcx]);
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.ID | Rflags.CF | Rflags.ZF, m.State->Gpr[11]);
        Assert.Equal(Rflags.Fixed | Rflags.ID | Rflags.ZF, LazyFlags.Read(m.State));
        Assert.Equal(0, m.State->Cpl);
        Assert.Equal(8, m.State->Cs.Selector);
        Assert.Equal(16, m.State->Ss.Selector);
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 2, m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(0x23, m.State->Cs.Selector);
        Assert.Equal(0x18, m.State->Ss.Selector);
        Assert.Equal(ModeKey.Code64, m.State->Mode & ModeKey.BitnessMask);
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.ID | Rflags.CF | Rflags.ZF, LazyFlags.Read(m.State));
    }

    /// <summary>SYSRET leaves base, limit and attributes of SS alone, and does not check RCX. [APM3 SYSRET]</summary>
    [Fact]
    public void Sysret_leaves_ss_attributes_and_faults_at_the_target()
    {
        using SystemMachine m = Long();
        m.State->Star = 0x0010_0008ul << 32;
        m.State->Gpr[Register.Rcx] = 0x8000_0000_0000;
        m.State->Ss.Attributes = 0;
        m.Processor.InterceptedExceptions = 1u << 13;
        m.Run(2, 0x48, 0x0F, 0x07);
        Assert.Equal(0x8000_0000_0000ul, m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(0, m.State->Ss.Attributes);
        Assert.Equal(Vector.GP, m.State->Fault.Vector);
    }

    [Fact]
    public void Syscall_from_compatibility_mode_uses_cstar()
    {
        using SystemMachine m = Long(3);
        m.Level(3, Code3, Data3);
        m.State->Cstar = Target;
        m.Run(1, 0x0F, 0x05);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal(ModeKey.Code64, m.State->Mode & ModeKey.BitnessMask);
    }

    [Fact]
    public void Syscall_needs_sce()
    {
        using SystemMachine m = Long(3);
        m.State->Efer &= ~Efer.SCE;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m.Run(1, 0x0F, 0x05);
        m.AssertFault(6, null);
    }

    [Fact]
    public void Sysret_needs_level_0()
    {
        using SystemMachine m = Long(3);
        m.Run(1, 0x48, 0x0F, 0x07);
        m.AssertFault(13, 0);
    }

    [Fact]
    public void Sysenter_and_sysexit()
    {
        using SystemMachine m = Protected(3);
        m.State->SysenterCs = Code0;
        m.State->SysenterEip = Target;
        m.State->SysenterEsp = InnerStack;
        new byte[] { 0x0F, 0x35 }.CopyTo(m.Memory[(int)Target..]);
        m.Run(1, 0x0F, 0x34);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal((ulong)InnerStack, m.Rsp);
        Assert.Equal(0, m.State->Cpl);
        m.State->Gpr[Register.Rdx] = 0x8100;
        m.State->Gpr[Register.Rcx] = Stack;
        m.Processor.Run(1);
        Assert.Equal(0x8100ul, m.State->Rip);
        Assert.Equal((ulong)Stack, m.Rsp);
        Assert.Equal(Code3, m.State->Cs.Selector);
        Assert.Equal(Data3, m.State->Ss.Selector);
        Assert.Equal(3, m.State->Cpl);
    }

    [Fact]
    public void Sysenter_without_a_selector()
    {
        using SystemMachine m = Protected(3);
        m.Run(1, 0x0F, 0x34);
        m.AssertFault(13, 0);
    }

    [Fact]
    public void Swapgs()
    {
        using SystemMachine m = Long();
        m.State->KernelGsBase = 0x1234;
        m.Run(1, 0x0F, 0x01, 0xF8);
        Assert.Equal(0x1234ul, m.State->Gs.Base);
        Assert.Equal(0ul, m.State->KernelGsBase);
    }

    /// <summary>The instruction after STI is still shielded. [SDM2 STI]</summary>
    [Fact]
    public void Sti_shadow()
    {
        using SystemMachine m = Protected();
        m.Bus.Interrupts.Enqueue(0x50);
        m.Run(3, 0xFB, 0x90, 0x90);
        m.AssertFault(0x50, null, Code + 2);
    }

    [Fact]
    public void Cli_and_sti_need_iopl()
    {
        using SystemMachine m = Protected(3);
        m.Run(1, 0xFA);
        m.AssertFault(13, 0);
        using SystemMachine good = Protected(3);
        good.State->SystemFlags |= Rflags.IOPL | Rflags.IF;
        good.Run(1, 0xFA);
        Assert.Equal(0ul, good.State->SystemFlags & Rflags.IF);
    }
}
