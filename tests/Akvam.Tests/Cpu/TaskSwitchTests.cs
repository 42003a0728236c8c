using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>Task switches. [SDM3 7.3]</summary>
public sealed unsafe class TaskSwitchTests
{
    private const int NewCode = 0xC000, NewStack = 0x4800;

    private static readonly byte[] s_jumpTss = [0xEA, 0, 0, 0, 0, (byte)OtherTssSelector, 0], s_callTss = [0x9A, 0, 0, 0, 0, (byte)OtherTssSelector, 0];

    private static SystemMachine Create()
    {
        SystemMachine m = Protected();
        m.Write32(OtherTss + 0x20, NewCode);
        m.Write32(OtherTss + 0x24, (uint)(Rflags.Fixed | Rflags.CF));
        for (int n = 0; n < 8; n++)
        {
            m.Write32(OtherTss + 0x28 + (n * 4), (uint)n + 100);
        }

        m.Write32(OtherTss + 0x28 + 16, NewStack);
        for (int n = 0; n < 6; n++)
        {
            m.Write32(OtherTss + 0x48 + (n * 4), n == 1 ? Code0 : Data0);
        }

        m.SetDescriptor(TaskGate, Gate(OtherTssSelector, 0, 0xE5));
        return m;
    }

    private static bool IsBusy(SystemMachine m, int selector) => (m.Memory[Gdt + selector + 5] & 2) != 0;

    /// <summary>JMP: the old task is no longer busy, nothing is nested. [SDM3 table 7-2]</summary>
    [Fact]
    public void Jump()
    {
        using SystemMachine m = Create();
        m.State->Gpr[Register.Rbx] = 0x1234_5678;
        m.Run(1, s_jumpTss);
        Assert.Equal((ulong)NewCode, m.State->Rip);
        Assert.Equal((ulong)NewStack, m.Rsp);
        Assert.Equal(103ul, m.State->Gpr[Register.Rbx]);
        Assert.Equal(OtherTssSelector, m.State->Tr.Selector);
        Assert.Equal(11, m.State->Tr.Type);
        Assert.False(IsBusy(m, TssSelector));
        Assert.True(IsBusy(m, OtherTssSelector));
        Assert.Equal(0ul, m.State->SystemFlags & Rflags.NT);
        Assert.NotEqual(0ul, m.State->Cr0 & Cr0.TS);
        Assert.Equal((uint)Code + 7, m.Read32(Tss + 0x20));
        Assert.Equal(0x1234_5678u, m.Read32(Tss + 0x34));
        Assert.Equal((uint)Code0, m.Read32(Tss + 0x4C));
        Assert.True(Akvam.Cpu.Flags.LazyFlags.Cf(m.State));
    }

    /// <summary>CALL nests: back link and NT; IRET returns, and clears both busy bit and NT of the image. [SDM3 7.4]</summary>
    [Fact]
    public void Call_and_return()
    {
        using SystemMachine m = Create();
        m.Memory[NewCode] = 0xCF;
        m.Run(1, s_callTss);
        Assert.Equal(TssSelector, m.Read16(OtherTss));
        Assert.NotEqual(0ul, m.State->SystemFlags & Rflags.NT);
        Assert.True(IsBusy(m, TssSelector));
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 7, m.State->Rip);
        Assert.Equal(TssSelector, m.State->Tr.Selector);
        Assert.False(IsBusy(m, OtherTssSelector));
        Assert.True(IsBusy(m, TssSelector));
        Assert.Equal(0u, m.Read32(OtherTss + 0x24) & (uint)Rflags.NT);
        Assert.Equal((uint)NewCode + 1, m.Read32(OtherTss + 0x20));
    }

    /// <summary>An exception through a task gate: the error code is on the new stack. [SDM3 6.12.2]</summary>
    [Fact]
    public void Exception_through_a_task_gate()
    {
        using SystemMachine m = Create();
        m.SetGate(13, Gate(OtherTssSelector, 0, 0xE5));

        // mov ds, [absent selector value in ax]
        m.State->Gpr[Register.Rax] = 0x1F8;
        m.Run(1, 0x8E, 0xD8);
        m.Memory[NewCode] = 0xF4;
        Assert.Equal(OtherTssSelector, m.State->Tr.Selector);
        Assert.Equal(0x1F8u, m.Read32(NewStack - 4));
        Assert.Equal((uint)Code, m.Read32(Tss + 0x20));
        Assert.NotEqual(0u, m.Read32(Tss + 0x24) & (uint)Rflags.RF);
    }

    [Fact]
    public void Jump_through_a_task_gate()
    {
        using SystemMachine m = Create();
        m.Run(1, 0xEA, 0, 0, 0, 0, (byte)TaskGate, 0);
        Assert.Equal((ulong)NewCode, m.State->Rip);
    }

    /// <summary>Checks before the switch belong to the old task. [SDM3 table 7-1]</summary>
    [Theory]
    [InlineData(0x8B, 0x67u, 13)] // busy
    [InlineData(0x09, 0x67u, 11)] // not present
    [InlineData(0x89, 0x66u, 10)] // too small
    public void Faults_in_the_old_task(int access, uint limit, int vector)
    {
        using SystemMachine m = Create();
        m.SetDescriptor(OtherTssSelector, Segment(OtherTss, limit, access, 0));
        m.Run(1, s_jumpTss);
        m.AssertFault(vector, OtherTssSelector);
        Assert.Equal(TssSelector, m.State->Tr.Selector);
        Assert.True(IsBusy(m, TssSelector));
    }

    /// <summary>Segments are checked in the new task: the handler's frame names its first instruction. [SDM3 table 7-1]</summary>
    [Theory]
    [InlineData(2, 0, 10, 0u)] // null SS
    [InlineData(2, AbsentData, 12, (uint)AbsentData)]
    [InlineData(2, Code0, 10, (uint)Code0)]
    [InlineData(3, AbsentData, 11, (uint)AbsentData)]
    [InlineData(3, 0x1F8, 10, 0x1F8u)]
    [InlineData(6, 0x08, 10, 8u)] // LDT selector that is no LDT
    public void Faults_in_the_new_task(int slot, int selector, int vector, uint error)
    {
        using SystemMachine m = Create();
        m.Write32(OtherTss + 0x48 + (slot * 4), (uint)selector);

        // Handlers of their own: the new task has no usable stack in some of the cases.
        m.SetGate(vector, Gate(TssSelector, 0, 0xE5));
        m.Run(1, s_jumpTss);
        Assert.Equal(TssSelector, m.State->Tr.Selector);
        Assert.Equal((uint)NewCode, m.Read32(OtherTss + 0x20));
        Assert.Equal(error, m.Read32((int)m.Rsp));
        Assert.Equal(OtherTssSelector, m.Read16(Tss));
    }

    /// <summary>The T bit: a debug trap before the first instruction of the new task. [SDM3 17.3.1.5]</summary>
    [Fact]
    public void Trap_bit()
    {
        using SystemMachine m = Create();
        m.Write16(OtherTss + 0x64, 1);
        m.Run(1, s_jumpTss);
        m.Processor.Run(1);
        Assert.Equal((ulong)Handler(1), m.State->Rip);
        Assert.Equal((uint)NewCode, m.Slot32(0));
        Assert.NotEqual(0ul, m.State->Dr6 & (1 << 15));
    }

    /// <summary>A 16-bit task saves and loads words; FS and GS become null. [SDM3 7.6]</summary>
    [Fact]
    public void Sixteen_bit_task()
    {
        using SystemMachine m = Create();
        m.SetDescriptor(OtherTssSelector, Segment(OtherTss, 0x2B, 0x81, 0));
        m.Memory.Slice(OtherTss, 0x68).Clear();
        m.Write16(OtherTss + 0x0E, NewCode);
        m.Write16(OtherTss + 0x12, 0xABCD);
        m.Write16(OtherTss + 0x1A, NewStack);
        m.Write16(OtherTss + 0x22, Data0);
        m.Write16(OtherTss + 0x24, Code16);
        m.Write16(OtherTss + 0x26, Data0);
        m.Write16(OtherTss + 0x28, Data0);
        m.Run(1, s_callTss);
        Assert.Equal((ulong)NewCode, m.State->Rip);
        Assert.Equal(0xABCDul, m.State->Gpr[Register.Rax]);
        Assert.Equal(1, m.State->Fs.Unusable);
        Assert.Equal(ModeKey.Code16, m.State->Mode & ModeKey.BitnessMask);
        Assert.Equal(3, m.State->Tr.Type);
    }

    /// <summary>A task may be a virtual-8086 one.</summary>
    [Fact]
    public void Virtual_8086_task()
    {
        using SystemMachine m = Create();
        m.Write32(OtherTss + 0x24, (uint)(Rflags.Fixed | Rflags.VM));
        m.Write16(OtherTss + 0x4C, 0x100);
        m.Run(1, s_jumpTss);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(0x1000ul, m.State->Cs.Base);
        Assert.NotEqual(ModeKey.None, m.State->Mode & ModeKey.Virtual8086);
    }
}
