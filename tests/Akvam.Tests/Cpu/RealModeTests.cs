using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>Real mode and virtual-8086 mode. [SDM3 20]</summary>
public sealed unsafe class RealModeTests
{
    /// <summary>FLAGS, CS and IP are pushed; IF, TF and AC cleared. [SDM3 20.1.4]</summary>
    [Fact]
    public void Int_goes_through_the_vector_table_and_iret_returns()
    {
        using SystemMachine m = Real();
        m.State->SystemFlags |= Rflags.IF;
        m.Memory[Handler(0x40)] = 0xCF;
        m.Run(1, 0xCD, 0x40);
        Assert.Equal((ulong)Handler(0x40), m.State->Rip);
        Assert.Equal(Code + 2, m.Read16(Stack - 6));
        Assert.Equal(0, m.Read16(Stack - 4));
        Assert.Equal((ushort)(Rflags.IF | Rflags.Fixed), m.Read16(Stack - 2));
        Assert.Equal(Rflags.Fixed, m.State->SystemFlags);
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 2, m.State->Rip);
        Assert.Equal((ulong)Stack, m.Rsp);
        Assert.Equal(Rflags.IF | Rflags.Fixed, m.State->SystemFlags);
    }

    /// <summary>Beyond the limit of the table: #GP through its own vector, without an error code.</summary>
    [Fact]
    public void Limit_of_the_vector_table()
    {
        using SystemMachine m = Real();
        m.State->IdtLimit = (0x40 * 4) + 2;
        m.Run(1, 0xCD, 0x40);
        Assert.Equal((ulong)Handler(13), m.State->Rip);
        Assert.Equal(Code, m.Read16(Stack - 6));
    }

    /// <summary>A vector table that user space has to read: the interrupt waits for it, and nothing executes before its handler.</summary>
    [Fact]
    public void Vector_table_outside_memory()
    {
        using SystemMachine m = Real();
        m.State->IdtBase = Size;
        m.State->SystemFlags |= Rflags.IF;
        m.Bus.Interrupts.Enqueue(0x40);
        Assert.Equal(RunResult.UserExit, m.Run(1, 0x90));
        Assert.Equal(EventKind.External, m.State->Delivering.Kind);
        Assert.Equal((ulong)Size + 0x100, m.Processor.Pending.Address);
        m.Processor.Pending.Value = (ulong)Handler(0x40);
        m.Processor.Pending.Complete();
        m.Processor.Run(1);
        Assert.Equal((ulong)Handler(0x40), m.State->Rip);
        Assert.Equal(Code, m.Read16(Stack - 6));
        Assert.Equal(EventKind.None, m.State->Delivering.Kind);
    }

    /// <summary>SP 1: the push wraps past the limit of SS, and so do those of #SS and #DF.</summary>
    [Fact]
    public void Odd_stack_pointer_is_shutdown()
    {
        using SystemMachine m = Real();
        m.State->Gpr[Register.Rsp] = 1;
        Assert.Equal(RunResult.Shutdown, m.Run(1, 0xCD, 0x40));
    }

    /// <summary>SP 4: the frame wraps around within the segment.</summary>
    [Fact]
    public void Frame_wraps_around()
    {
        using SystemMachine m = Real();
        m.State->Gpr[Register.Rsp] = 4;
        m.Run(1, 0xCD, 0x40);
        Assert.Equal(0xFFFEul, m.Rsp);
        Assert.Equal(Code + 2, m.Read16(0xFFFE));
    }

    /// <summary>Big real mode: the limit loaded in protected mode stays when the base changes. [SDM3 20.1.1]</summary>
    [Fact]
    public void Limits_stay()
    {
        using SystemMachine m = Real();
        m.State->Ds.Limit = uint.MaxValue;
        m.State->Gpr[Register.Rax] = 0x1234;

        // mov ds, ax
        m.Run(1, 0x8E, 0xD8);
        Assert.Equal(0x12340ul, m.State->Ds.Base);
        Assert.Equal(uint.MaxValue, m.State->Ds.Limit);
    }

    [Fact]
    public void Far_call_and_return()
    {
        using SystemMachine m = Real();
        m.Memory[0x12345] = 0xCA; // retf 2
        m.Memory[0x12346] = 2;
        m.Run(1, 0x9A, 0x45, 0x23, 0x00, 0x10);
        Assert.Equal(0x2345ul, m.State->Rip);
        Assert.Equal(0x10000ul, m.State->Cs.Base);
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 5, m.State->Rip);
        Assert.Equal((ulong)Stack + 2, m.Rsp);
    }

    /// <summary>An interrupt leaves virtual-8086 mode for CPL 0, with all segments on the stack. [SDM3 20.3.1]</summary>
    [Fact]
    public void Interrupt_from_virtual_8086_mode_and_back()
    {
        using SystemMachine m = Virtual8086(3);
        m.State->Gs.Selector = 0x55;
        m.Memory[Handler(0x40)] = 0xCF;
        m.Run(1, 0xCD, 0x40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)InnerStack - 36, m.Rsp);
        Assert.Equal(0x55u, m.Slot32(8));
        Assert.NotEqual(0u, m.Slot32(2) & (uint)Rflags.VM);
        Assert.Equal(1, m.State->Ds.Unusable);
        Assert.Equal(0, m.State->Cpl);
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 2, m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(0x55, m.State->Gs.Selector);
        Assert.Equal(0x550ul, m.State->Gs.Base);
        Assert.NotEqual(0ul, m.State->SystemFlags & Rflags.VM);
        Assert.Equal((ulong)Stack, m.Rsp);
    }

    /// <summary>INT n, IRET, CLI and STI are sensitive to IOPL; INT3 is not. [SDM3 20.2.7]</summary>
    [Theory]
    [InlineData(0xCD, 13)]
    [InlineData(0xCF, 13)]
    [InlineData(0xFA, 13)]
    [InlineData(0xFB, 13)]
    [InlineData(0xCC, 3)]
    public void Iopl_in_virtual_8086_mode(int opcode, int vector)
    {
        using SystemMachine m = Virtual8086(0);
        m.Run(1, (byte)opcode, 0x40);
        m.AssertFault(vector, vector == 13 ? 0u : null, vector == 13 ? (ulong)Code : Code + 1);
    }

    [Fact]
    public void Handler_of_virtual_8086_mode_has_to_run_at_level_0()
    {
        using SystemMachine m = Virtual8086(3);
        m.SetGate(0x40, Gate(Code1, (uint)Handler(0x40), 0xEE));
        m.Run(1, 0xCD, 0x40);
        m.AssertFault(13, Code1 & 0xFFFCu);
    }

    /// <summary>VME: a clear bit of the redirection bitmap sends INT n to the program's own table, IF replaced by VIF below IOPL 3. [SDM3 20.3.3.4, 20.3.3.5]</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Redirected_interrupt(int iopl)
    {
        using SystemMachine m = Virtual8086(iopl, vme: true);
        m.State->SystemFlags |= Rflags.VIF;
        m.Write32(0x40 * 4, (uint)Handler(0x40));
        m.Run(1, 0xCD, 0x40);
        Assert.Equal((ulong)Handler(0x40), m.State->Rip);
        Assert.Equal((ulong)Stack - 6, m.Rsp);
        Assert.Equal((ushort)(Rflags.Fixed | Rflags.IF | Rflags.IOPL), m.Read16(Stack - 2));
        ulong flags = m.State->SystemFlags & (Rflags.IF | Rflags.VIF);
        Assert.Equal(iopl == 3 ? Rflags.VIF : Rflags.IF, flags);
    }

    /// <summary>VME: a set bit sends it to the IDT at IOPL 3, and is #GP(0) below.</summary>
    [Theory]
    [InlineData(0, 13)]
    [InlineData(3, 0x40)]
    public void Interrupt_that_is_not_redirected(int iopl, int vector)
    {
        using SystemMachine m = Virtual8086(iopl, vme: true);
        m.Memory[Tss + 0x68 + 8] = 1;
        m.Run(1, 0xCD, 0x40);
        m.AssertFault(vector, vector == 13 ? 0u : null, vector == 13 ? (ulong)Code : Code + 2);
    }

    /// <summary>VME and PVI: CLI and STI work on VIF, and STI with VIP set is #GP(0). [SDM3 20.3.2, 20.4]</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Virtual_interrupt_flag(bool vme)
    {
        using SystemMachine m = vme ? Virtual8086(0, vme: true) : Protected(3);
        m.State->Cr4 |= Cr4.PVI;
        ulong before = m.State->SystemFlags & Rflags.IF;
        m.Run(1, 0xFB, 0xFA, 0xFB);
        Assert.Equal(Rflags.VIF | before, m.State->SystemFlags & (Rflags.VIF | Rflags.IF));
        m.Processor.Run(1);
        Assert.Equal(before, m.State->SystemFlags & (Rflags.VIF | Rflags.IF));
        m.State->SystemFlags |= Rflags.VIP;
        m.Processor.Run(1);
        m.AssertFault(13, 0, Code + 2);
    }

    /// <summary>VME: IRET below IOPL 3 moves IF of the image to VIF. [SDM3 20.3.2]</summary>
    [Fact]
    public void Iret_under_vme()
    {
        using SystemMachine m = Virtual8086(0, vme: true);
        m.State->SystemFlags &= ~Rflags.IF;
        m.Write16(Stack, 0x1234);
        m.Write16(Stack + 4, (int)(Rflags.IF | Rflags.IOPL | Rflags.CF));
        m.Run(1, 0xCF);
        Assert.Equal(0x1234ul, m.State->Rip);
        Assert.Equal(Rflags.Fixed | Rflags.VM | Rflags.VIF | Rflags.CF, LazyFlags.Read(m.State));
    }
}
