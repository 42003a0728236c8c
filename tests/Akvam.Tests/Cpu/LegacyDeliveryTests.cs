using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>16- and 32-bit interrupt and trap gates. [SDM3 6.12] [SDM2 INT n]</summary>
public sealed unsafe class LegacyDeliveryTests
{
    private static readonly byte[] s_int40 = [0xCD, 0x40];

    /// <summary>The pushed flags are the old ones, TF and NT are cleared, IF by interrupt gates only. [SDM3 6.12.1.3]</summary>
    [Theory]
    [InlineData(0xEE, false)]
    [InlineData(0xEF, true)]
    public void Same_level(int access, bool keepsIf)
    {
        using SystemMachine m = Protected();
        m.SetGate(0x40, Gate(Code0, (uint)Handler(0x40), access));
        m.State->SystemFlags |= Rflags.IF | Rflags.NT;
        m.Run(1, s_int40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)Stack - 12, m.Rsp);
        Assert.Equal(Code0, m.Slot32(1));
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.NT, m.Slot32(2));
        Assert.Equal(Rflags.Fixed | (keepsIf ? Rflags.IF : 0), m.State->SystemFlags);
    }

    /// <summary>From CPL 3 the stack of the TSS, SS:ESP first. [SDM3 6.12.1]</summary>
    [Fact]
    public void Inner_level()
    {
        using SystemMachine m = Protected(3);
        m.Run(1, s_int40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)InnerStack - 20, m.Rsp);
        Assert.Equal(Code3, m.Slot32(1));
        Assert.Equal((uint)Stack, m.Slot32(3));
        Assert.Equal(Data3, m.Slot32(4));
        Assert.Equal(0, m.State->Cpl);
        Assert.Equal(Data0, m.State->Ss.Selector);
        Assert.Equal(Code0, m.State->Cs.Selector);
    }

    /// <summary>A conforming handler runs at the level of the interrupted program, which becomes the RPL of CS. [SDM3 6.12.1.1]</summary>
    [Fact]
    public void Conforming_handler_keeps_the_level()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(0x40, Gate(Conforming, (uint)Handler(0x40), 0xEE));
        m.Run(1, s_int40);
        Assert.Equal((ulong)Handler(0x40), m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(Conforming | 3, m.State->Cs.Selector);
        Assert.Equal((ulong)Stack - 12, m.Rsp);
    }

    [Fact]
    public void Sixteen_bit_gate_pushes_words()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(13, Gate(Code0, (uint)Handler(13), 0x86));

        // hlt at CPL 3: #GP(0)
        m.Run(1, 0xF4);
        Assert.Equal((ulong)Handler(13), m.State->Rip);
        Assert.Equal((ulong)InnerStack - 12, m.Rsp);
        Assert.Equal(0, m.Read16(InnerStack - 12));
        Assert.Equal(Code, m.Read16(InnerStack - 10));
        Assert.Equal(Data3, m.Read16(InnerStack - 2));
    }

    /// <summary>INT n through a gate whose DPL is below CPL; the same gate serves an exception. [SDM3 6.12.1.2]</summary>
    [Fact]
    public void Gate_dpl_is_for_software_interrupts()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(0x40, Gate(Code0, (uint)Handler(0x40), 0x8E));
        m.SetGate(13, Gate(Code0, (uint)Handler(13), 0x8E));
        m.Run(1, s_int40);
        m.AssertFault(13, (0x40 * 8) + 2);
    }

    /// <summary>Errors name the gate with IDT set, or the selector; EXT is clear for INT n. [SDM3 6.13]</summary>
    [Theory]
    [InlineData(Code0, 0xEC, 13, 0x202u)] // a call gate in the IDT
    [InlineData(Code0, 0x6E, 11, 0x202u)] // gate not present
    [InlineData(0, 0xEE, 13, 0u)] // null CS
    [InlineData(0x1F8, 0xEE, 13, 0x1F8u)] // CS outside the GDT
    [InlineData(Data0, 0xEE, 13, (uint)Data0)] // CS is data
    [InlineData(Code3, 0xEE, 13, 0x18u)] // CS less privileged than the program
    [InlineData(AbsentCode, 0xEE, 11, (uint)AbsentCode)]
    [InlineData(0x0C, 0xEE, 13, 0x0Cu)] // in an LDT that is null
    public void Faults(int selector, int access, int vector, uint error)
    {
        using SystemMachine m = Protected();
        m.SetGate(0x40, Gate(selector, (uint)Handler(0x40), access));
        m.Run(1, s_int40);
        m.AssertFault(vector, error);
    }

    [Fact]
    public void Beyond_the_idt_limit()
    {
        using SystemMachine m = Protected();
        m.State->IdtLimit = (0x40 * 8) + 6;
        m.Run(1, s_int40);
        m.AssertFault(13, (0x40 * 8) + 2);
    }

    [Fact]
    public void Handler_beyond_the_code_limit()
    {
        using SystemMachine m = Protected();
        m.SetGate(0x40, Gate(SmallCode, 0x100, 0xEE));
        m.Run(1, s_int40);
        m.AssertFault(13, 0);
    }

    /// <summary>A bad inner stack is an invalid TSS, a missing one #SS with its selector. [SDM3 table 6-7] [SDM2 INT n]</summary>
    [Theory]
    [InlineData(0, 10, 0u)]
    [InlineData(Data3, 10, 0x20u)]
    [InlineData(Code0, 10, 8u)]
    [InlineData(ReadOnly, 10, (uint)ReadOnly)]
    [InlineData(AbsentData, 12, (uint)AbsentData)]
    public void Inner_stack_faults(int ss, int vector, uint error)
    {
        using SystemMachine m = Protected(3);

        // The faults themselves go through conforming segments, which need no inner stack.
        m.SetGate(vector, Gate(Conforming, (uint)Handler(vector), 0xEE));
        m.Write32(Tss + 8, (uint)ss);
        m.Run(1, s_int40);
        m.AssertFault(vector, error);
        Assert.Equal(3, m.State->Cpl);
    }

    [Fact]
    public void Tss_too_small_for_the_stack()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(10, Gate(Conforming, (uint)Handler(10), 0xEE));
        m.State->Tr.Limit = 8;
        m.Run(1, s_int40);
        m.AssertFault(10, TssSelector);
    }

    /// <summary>The frame does not fit: #SS(0) for the current stack, and nothing was pushed. [SDM2 INT n]</summary>
    [Fact]
    public void No_room_on_the_stack()
    {
        using SystemMachine m = Protected();
        m.SetGate(12, Gate(TaskGate, 0, 0xE5));
        m.SetDescriptor(AbsentData, Segment(0, 0xFFFF, 0x97, 0x4));
        m.State->Ss = m.Register(AbsentData); // expand-down, valid above FFFF
        m.State->Gpr[Register.Rsp] = 0x10008;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m.Processor.InterceptedExceptions = 1u << 12;
        Assert.Equal(Akvam.Cpu.RunResult.Debug, m.Run(1, s_int40));
        Assert.Equal(0u, m.State->Fault.ErrorCode);
        Assert.Equal((ulong)Code, m.State->Rip);
        Assert.Equal(0x10008ul, m.Rsp);
        Assert.Equal(0u, m.Read32(0x10004));
    }

    /// <summary>Faults push RF so that the instruction breakpoint does not hit again. [SDM3 17.3.1.1]</summary>
    [Fact]
    public void Faults_push_rf_and_traps_do_not()
    {
        using SystemMachine m = Protected(3);
        m.Run(1, 0xF4);
        m.AssertFault(13, 0);
        Assert.Equal(Rflags.Fixed | Rflags.RF, m.Slot32(3));
        using SystemMachine trap = Protected(3);
        trap.Run(1, 0xCC);
        trap.AssertFault(3, null, Code + 1);
        Assert.Equal(Rflags.Fixed, trap.Slot32(2));
    }

    /// <summary>An external interrupt that finds no gate: EXT is set. [SDM3 6.13]</summary>
    [Fact]
    public void External_interrupts_set_ext()
    {
        using SystemMachine m = Protected();
        m.SetGate(0x55, 0);
        m.State->SystemFlags |= Rflags.IF;
        m.Bus.Interrupts.Enqueue(0x55);
        m.Run(1, 0x90);
        m.AssertFault(13, (0x55 * 8) + 3);
    }

    /// <summary>INT1 is not held back by the gate's DPL. [SDM2 INT n]</summary>
    [Fact]
    public void Int1_ignores_the_gate_dpl()
    {
        using SystemMachine m = Protected(3);
        m.SetGate(1, Gate(Code0, (uint)Handler(1), 0x8E));
        m.Run(1, 0xF1);
        m.AssertFault(1, null, Code + 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Into_tests_overflow(bool overflow)
    {
        using SystemMachine m = Protected();
        Akvam.Cpu.Flags.LazyFlags.WriteLazy(m.State, overflow ? Rflags.OF : 0);
        m.Run(1, 0xCE);
        Assert.Equal(overflow ? (ulong)Handler(4) : Code + 1, m.State->Rip);
    }
}
