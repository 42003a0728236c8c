using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>Far jumps, calls and returns, IRET. [SDM3 5.8] [SDM2 CALL] [SDM2 RET] [SDM2 IRET]</summary>
public sealed unsafe class FarControlTests
{
    private const uint Target = 0xC000;

    private static byte[] Far(int opcode, int selector, uint offset = Target) =>
        [(byte)opcode, (byte)offset, (byte)(offset >> 8), (byte)(offset >> 16), (byte)(offset >> 24), (byte)selector, (byte)(selector >> 8)];

    [Theory]
    [InlineData(0, Code16, -1, 0u)]
    [InlineData(3, Conforming, -1, 0u)]
    [InlineData(0, 0, 13, 0u)]
    [InlineData(0, Data0, 13, (uint)Data0)]
    [InlineData(0, 0x1F8, 13, 0x1F8u)]
    [InlineData(0, Code3, 13, 0x18u)] // DPL is not CPL
    [InlineData(3, Code0, 13, (uint)Code0)]
    [InlineData(0, Code0 | 3, 13, (uint)Code0)] // RPL above CPL
    [InlineData(0, AbsentCode, 11, (uint)AbsentCode)]
    [InlineData(0, SmallCode, 13, 0u)] // beyond the limit
    public void Jump(int cpl, int selector, int vector, uint error)
    {
        using SystemMachine m = Protected(cpl);
        m.Run(1, Far(0xEA, selector));
        if (vector >= 0)
        {
            m.AssertFault(vector, error);
        }
        else
        {
            Assert.Equal(Target, m.State->Rip);
            Assert.Equal(selector | cpl, m.State->Cs.Selector);
            Assert.Equal(cpl, m.State->Cpl);
        }
    }

    [Fact]
    public void Call_and_return()
    {
        using SystemMachine m = Protected();
        m.Memory[(int)Target] = 0xCB;
        m.Run(1, Far(0x9A, Code0));
        Assert.Equal((ulong)Stack - 8, m.Rsp);
        Assert.Equal((uint)Code + 7, m.Slot32(0));
        m.Processor.Run(1);
        Assert.Equal((ulong)Code + 7, m.State->Rip);
        Assert.Equal((ulong)Stack, m.Rsp);
    }

    /// <summary>A call gate to an inner level copies its parameters; RETF with a count releases them on both stacks and closes data segments. [SDM3 5.8.5, 5.8.6]</summary>
    [Fact]
    public void Call_gate_inwards_and_back()
    {
        using SystemMachine m = Protected(3);
        m.SetDescriptor(CallGate, Gate(Code0, Target, 0xEC, 2));
        m.Write32(Stack, 0x1111);
        m.Write32(Stack + 4, 0x2222);

        // mov eax, 10h; mov ds, ax; retf 8
        new byte[] { 0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8, 0xCA, 8, 0 }.CopyTo(m.Memory[(int)Target..]);
        m.Run(1, Far(0x9A, CallGate, 0));
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal(0, m.State->Cpl);
        Assert.Equal((ulong)InnerStack - 24, m.Rsp);
        Assert.Equal((uint)Code + 7, m.Slot32(0));
        Assert.Equal(Code3, m.Slot32(1));
        Assert.Equal(0x1111u, m.Slot32(2));
        Assert.Equal(0x2222u, m.Slot32(3));
        Assert.Equal((uint)Stack, m.Slot32(4));
        Assert.Equal(Data3, m.Slot32(5));
        m.Processor.Run(3);
        Assert.Equal((ulong)Code + 7, m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal((ulong)Stack + 8, m.Rsp);
        Assert.Equal(1, m.State->Ds.Unusable);
        Assert.Equal(0, m.State->Es.Unusable);
    }

    [Theory]
    [InlineData(0x8C, Code0, 13, (uint)CallGate)] // gate DPL below CPL
    [InlineData(0x6C, Code0, 11, (uint)CallGate)]
    [InlineData(0xEC, Data0, 13, (uint)Data0)]
    [InlineData(0xEC, 0, 13, 0u)]
    [InlineData(0xEC, AbsentCode, 11, (uint)AbsentCode)]
    public void Call_gate_faults(int access, int selector, int vector, uint error)
    {
        using SystemMachine m = Protected(3);
        m.SetDescriptor(CallGate, Gate(selector, Target, access));
        m.Run(1, Far(0x9A, CallGate));
        m.AssertFault(vector, error);
    }

    /// <summary>A jump through a gate may not change the level. [SDM3 5.8.4]</summary>
    [Fact]
    public void Jump_through_a_gate_stays_at_its_level()
    {
        using SystemMachine m = Protected(3);
        m.SetDescriptor(CallGate, Gate(Code0, Target, 0xEC));
        m.Run(1, Far(0xEA, CallGate));
        m.AssertFault(13, Code0);
    }

    /// <summary>A 64-bit call gate: 16 bytes of descriptor, a null SS, no parameters. [SDM3 5.8.5.1]</summary>
    [Fact]
    public void Long_call_gate()
    {
        using SystemMachine m = Long(3);
        m.SetDescriptor(CallGate64, Gate(Code64, Target, 0xEC));
        m.Write64(Gdt + CallGate64 + 8, 0);
        m.Write64(0x500, (ulong)CallGate64 << 32);

        // call far [500h]
        m.Run(1, 0xFF, 0x1C, 0x25, 0x00, 0x05, 0, 0);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal((ulong)InnerStack - 32, m.Rsp);
        Assert.Equal((ulong)Code + 7, m.Slot64(0));
        Assert.Equal(Code64User, m.Slot64(1));
        Assert.Equal((ulong)Stack, m.Slot64(2));
        Assert.Equal(Data3, m.Slot64(3));
        Assert.Equal(1, m.State->Ss.Unusable);
    }

    /// <summary>From compatibility to 64-bit mode by a far jump. [APM2 5.2.1]</summary>
    [Fact]
    public void Jump_to_64_bit_code()
    {
        using SystemMachine m = Long();
        m.Level(0, Code0, Data0);
        m.Run(1, Far(0xEA, Code64));
        Assert.Equal(ModeKey.Code64, m.State->Mode & ModeKey.BitnessMask);
    }

    /// <summary>IRET to CPL 3 and its checks. [SDM2 IRET]</summary>
    [Theory]
    [InlineData(Code3, Data3, -1, 0u)]
    [InlineData(Code3, 0, 13, 0u)]
    [InlineData(Code3, Data0, 13, (uint)Data0)]
    [InlineData(Code3, AbsentData | 3, 13, (uint)AbsentData)]
    [InlineData(0, Data3, 13, 0u)]
    [InlineData(Data3, Data3, 13, 0x20u)]
    [InlineData(Code0 | 3, Data3, 13, (uint)Code0)]
    [InlineData(AbsentCode, Data0, 11, (uint)AbsentCode)]
    public void Iret_outwards(int cs, int ss, int vector, uint error)
    {
        using SystemMachine m = Protected();
        uint[] frame = [Target, (uint)cs, (uint)(Rflags.Fixed | Rflags.IF | Rflags.IOPL), 0x4000, (uint)ss];
        for (int n = 0; n < 5; n++)
        {
            m.Write32(Stack + (n * 4), frame[n]);
        }

        m.State->NmiMasked = 1;
        m.Run(1, 0xCF);
        if (vector >= 0)
        {
            m.AssertFault(vector, error);
            Assert.Equal(1, m.State->NmiMasked);
            return;
        }

        Assert.Equal(Target, m.State->Rip);
        Assert.Equal(3, m.State->Cpl);
        Assert.Equal(0x4000ul, m.Rsp);
        Assert.Equal(1, m.State->Ds.Unusable);
        Assert.Equal(Rflags.Fixed | Rflags.IF | Rflags.IOPL, m.State->SystemFlags);
        Assert.Equal(0, m.State->NmiMasked);
    }

    /// <summary>At CPL 3 neither IOPL nor, above IOPL, IF changes. [SDM2 IRET]</summary>
    [Fact]
    public void Iret_at_level_3_keeps_iopl_and_if()
    {
        using SystemMachine m = Protected(3);
        m.Write32(Stack, Target);
        m.Write32(Stack + 4, Code3);
        m.Write32(Stack + 8, (uint)(Rflags.IF | Rflags.IOPL | Rflags.ID | Rflags.CF));
        m.Run(1, 0xCF);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal(Rflags.Fixed | Rflags.ID, m.State->SystemFlags);
        Assert.True(Akvam.Cpu.Flags.LazyFlags.Cf(m.State));
    }

    /// <summary>IRETQ pops SS:RSP at the same level too; null is good at CPL 0. [APM2 8.9.3]</summary>
    [Fact]
    public void Iretq_at_the_same_level()
    {
        using SystemMachine m = Long();
        ulong[] frame = [Target, Code64, Rflags.Fixed, 0x4008, 0];
        for (int n = 0; n < 5; n++)
        {
            m.Write64(Stack + (n * 8), frame[n]);
        }

        m.Run(1, 0x48, 0xCF);
        Assert.Equal(Target, m.State->Rip);
        Assert.Equal(0x4008ul, m.Rsp);
        Assert.Equal(1, m.State->Ss.Unusable);
    }

    /// <summary>NT in long mode: #GP(0). [SDM2 IRET]</summary>
    [Fact]
    public void Iret_with_nt_in_long_mode()
    {
        using SystemMachine m = Long();
        m.State->SystemFlags |= Rflags.NT;
        m.Run(1, 0x48, 0xCF);
        m.AssertFault(13, 0);
    }
}
