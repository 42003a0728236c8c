using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>64-bit interrupt gates. [SDM3 6.14] [APM2 8.9]</summary>
public sealed unsafe class LongDeliveryTests
{
    private static readonly byte[] s_int40 = [0xCD, 0x40];

    /// <summary>SS:RSP is pushed always, and the stack aligned to 16 first. [SDM3 6.14.2]</summary>
    [Fact]
    public void Same_level_aligns_the_stack()
    {
        using SystemMachine m = Long();
        m.State->Gpr[Register.Rsp] = Stack - 3;
        m.Run(1, s_int40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)Stack - 16 - 40, m.Rsp);
        Assert.Equal(Code64, m.Slot64(1));
        Assert.Equal((ulong)Stack - 3, m.Slot64(3));
        Assert.Equal(Data0, m.Slot64(4));
        Assert.Equal(Data0, m.State->Ss.Selector);
    }

    /// <summary>A change of level loads a null SS with the new level as RPL. [SDM3 6.14.4]</summary>
    [Fact]
    public void Inner_level_has_a_null_ss()
    {
        using SystemMachine m = Long(3);
        m.Run(1, s_int40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)InnerStack - 40, m.Rsp);
        Assert.Equal(Data3, m.Slot64(4));
        Assert.Equal(0, m.State->Ss.Selector);
        Assert.Equal(1, m.State->Ss.Unusable);
        Assert.Equal(0, m.State->Cpl);
    }

    /// <summary>IST is used whatever the level. [SDM3 6.14.5]</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Ist_switches_the_stack(int cpl)
    {
        using SystemMachine m = Long(cpl);
        m.SetGate64(0x40, Gate(Code64, (uint)Handler(0x40), 0xEE, 7));
        m.Write64(Tss + 0x54, Ring1Stack);
        m.Run(1, s_int40);
        m.AssertFault(0x40, null, Code + 2);
        Assert.Equal((ulong)Ring1Stack - 40, m.Rsp);
        Assert.Equal((ulong)Stack, m.Slot64(3));
    }

    [Theory]
    [InlineData(Code64, 0xE6, 13, 0x202u)] // no 16-bit gates in long mode
    [InlineData(Code64, 0xE5, 13, 0x202u)] // no task gates
    [InlineData(Code64, 0x6E, 11, 0x202u)]
    [InlineData(Code0, 0xEE, 13, (uint)Code0)] // a handler has to be 64-bit code
    [InlineData(0, 0xEE, 13, 0u)]
    [InlineData(AbsentCode, 0xEE, 11, (uint)AbsentCode)]
    public void Faults(int selector, int access, int vector, uint error)
    {
        using SystemMachine m = Long();
        m.SetGate64(0x40, Gate(selector, (uint)Handler(0x40), access));
        m.Run(1, s_int40);
        m.AssertFault(vector, error);
    }

    [Fact]
    public void Handler_has_to_be_canonical()
    {
        using SystemMachine m = Long();
        m.SetGate64(0x40, Gate(Code64, 0, 0xEE), 0x8000);
        m.Run(1, s_int40);
        m.AssertFault(13, 0);
    }

    /// <summary>A stack that is not canonical: #SS(0). [SDM2 INT n]</summary>
    [Fact]
    public void Stack_has_to_be_canonical()
    {
        using SystemMachine m = Long(3);
        m.SetGate64(12, Gate(Code64, (uint)Handler(12), 0x8E, 1));
        m.Write64(Tss + 0x24, Ring1Stack);
        m.Write64(Tss + 4, 0x9000_0000_0000);
        m.Run(1, s_int40);
        m.AssertFault(12, 0);
    }

    [Fact]
    public void Tss_too_small_for_the_stack()
    {
        using SystemMachine m = Long(3);
        m.SetGate64(10, Gate(Code64, (uint)Handler(10), 0x8E));
        m.SetDescriptor(Conforming, Segment(0, 0xFFFFF, 0x9F, 0xA));
        m.SetGate64(10, Gate(Conforming, (uint)Handler(10), 0x8E));
        m.State->Tr.Limit = 0x0A;
        m.Run(1, s_int40);
        m.AssertFault(10, Tss64);
    }

    /// <summary>Compatibility mode is interrupted into 64-bit mode, and IRETQ goes back. [APM2 8.9.3]</summary>
    [Fact]
    public void From_compatibility_mode_and_back()
    {
        using SystemMachine m = Long(3);
        m.Level(3, Code3, Data3);
        m.Memory[Handler(0x40)] = 0x48;
        m.Memory[Handler(0x40) + 1] = 0xCF;
        m.Run(1, s_int40);
        Assert.Equal(ModeKey.Code64, m.State->Mode & ModeKey.BitnessMask);
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 2, m.State->Rip);
        Assert.Equal(ModeKey.Code32, m.State->Mode & ModeKey.BitnessMask);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal((ulong)Stack, m.Rsp);
        Assert.Equal(Data3, m.State->Ss.Selector);
    }
}
