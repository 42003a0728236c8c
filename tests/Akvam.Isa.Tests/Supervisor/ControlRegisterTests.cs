using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>What the setters of control and debug registers accept. [APM2 3.1] [SDM3 2.5]</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class ControlRegisterTests
{
    private static TestMachine Machine(GuestMode mode)
    {
        var m = new TestMachine();
        m.Processor.Cpuid.SetEntries(CpuidModel.Supported());
        ModeSetup.Enter(m, mode, 0x1000);
        return m;
    }

    [Theory]
    [InlineData(GuestMode.Real, Cr0.PG, false)]
    [InlineData(GuestMode.Real, Cr0.NW, false)]
    [InlineData(GuestMode.Real, Cr0.NW | Cr0.CD, true)]
    [InlineData(GuestMode.Real, 1ul << 32, false)]
    [InlineData(GuestMode.Real, Cr0.PE, true)]
    [InlineData(GuestMode.Long, Cr0.PE, false)]
    [InlineData(GuestMode.Compatibility32, Cr0.PE, true)]
    [InlineData(GuestMode.Pae, Cr0.PE, true)]
    public void Values_of_CR0(GuestMode mode, ulong value, bool allowed)
    {
        using TestMachine m = Machine(mode);
        ulong old = m.State->Cr0;
        Assert.Equal(allowed, ControlRegisters.TrySetCr0(m.State, value));
        Assert.Equal(allowed ? value | Cr0.ET : old, m.State->Cr0);
    }

    [Fact]
    public void Long_mode_becomes_active_with_paging_and_inactive_without()
    {
        using TestMachine m = Machine(GuestMode.Protected32);
        CpuState* s = m.State;
        Assert.True(ControlRegisters.TrySetEfer(s, Efer.LME));
        Assert.False(ControlRegisters.TrySetCr0(s, s->Cr0 | Cr0.PG));
        Assert.True(ControlRegisters.TrySetCr4(s, s->Cr4 | Cr4.PAE));
        Assert.True(ControlRegisters.TrySetCr3(s, ModeSetup.Tables));
        Assert.True(ControlRegisters.TrySetCr0(s, s->Cr0 | Cr0.PG));
        Assert.Equal(Efer.LME | Efer.LMA, s->Efer);
        Assert.False(ControlRegisters.TrySetEfer(s, 0));
        Assert.False(ControlRegisters.TrySetCr4(s, s->Cr4 & ~Cr4.PAE));
        Assert.False(ControlRegisters.TrySetCr4(s, s->Cr4 | Cr4.LA57));
        Assert.True(ControlRegisters.TrySetCr0(s, s->Cr0 & ~Cr0.PG));
        Assert.Equal(Efer.LME, s->Efer);
        s->Cs.Attributes |= SegmentRegister.L;
        Assert.False(ControlRegisters.TrySetCr0(s, s->Cr0 | Cr0.PG));
    }

    [Fact]
    public void PCIDE_needs_long_mode_and_PCID_0()
    {
        using TestMachine legacy = Machine(GuestMode.Pae);
        Assert.False(ControlRegisters.TrySetCr4(legacy.State, legacy.State->Cr4 | Cr4.PCIDE));
        using TestMachine m = Machine(GuestMode.Long);
        CpuState* s = m.State;
        Assert.False(ControlRegisters.TrySetCr3(s, s->Cr3 | (1ul << 63)));
        Assert.True(ControlRegisters.TrySetCr3(s, s->Cr3 | 8));
        Assert.False(ControlRegisters.TrySetCr4(s, s->Cr4 | Cr4.PCIDE));
        Assert.True(ControlRegisters.TrySetCr3(s, s->Cr3 & ~8ul));
        Assert.True(ControlRegisters.TrySetCr4(s, s->Cr4 | Cr4.PCIDE));
        Assert.True(ControlRegisters.TrySetCr3(s, s->Cr3 | 5 | (1ul << 63)));
        Assert.Equal(ModeSetup.Tables | 5, s->Cr3);
        Assert.False(ControlRegisters.TrySetCr3(s, 1ul << 62));
        s->Cs = new SegmentRegister { Limit = uint.MaxValue, Attributes = 0xC09B };
        Assert.False(ControlRegisters.TrySetCr0(s, s->Cr0 & ~Cr0.PG));
    }

    [Fact]
    public void Every_bit_of_CR4_is_allowed_exactly_when_CPUID_announces_it()
    {
        ulong allowed = Cr4.PCE;
        allowed |= Cr4.VME | Cr4.PVI | Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
        CpuidEntry[] small = [new CpuidEntry { Function = 1, Edx = 0x0382_FBFF }];
        using TestMachine m = Machine(GuestMode.Real);
        m.Processor.Cpuid.SetEntries(small);
        for (int bit = 0; bit < 64; bit++)
        {
            ControlRegisters.TrySetCr4(m.State, 0);
            Assert.True(((allowed >> bit) & 1) == 1 == ControlRegisters.TrySetCr4(m.State, 1ul << bit), $"bit {bit}");
        }
    }

    [Fact]
    public void Bad_PDPTEs_stop_a_CR3_write_and_good_ones_are_loaded_by_it()
    {
        using TestMachine m = Machine(GuestMode.Pae);
        CpuState* s = m.State;
        ulong* table = (ulong*)(m.Ram + 0xE000);
        table[3] = 0x5001;
        Assert.True(ControlRegisters.TrySetCr3(s, 0xE000));
        Assert.Equal(0x5001ul, s->Pdpte[3]);
        table[3] = 0x5003;
        Assert.False(ControlRegisters.TrySetCr3(s, 0xE000));
        table[3] = 0x5002;
        Assert.True(ControlRegisters.TrySetCr3(s, 0xE000));
        Assert.False(ControlRegisters.TrySetCr3(s, 0x4000_0000));
    }

    [Theory]
    [InlineData(0ul, false)]
    [InlineData(1ul, true)]
    [InlineData(3ul, true)]
    [InlineData(5ul, false)]
    [InlineData(1ul << 9 | 1, true)]
    [InlineData(1ul << 5 | 1, false)]
    public void Values_of_XCR0(ulong value, bool allowed)
    {
        using TestMachine m = Machine(GuestMode.Long);
        Assert.Equal(allowed, ControlRegisters.TrySetXcr0(m.State, value));
    }

    [Fact]
    public void Debug_registers_keep_their_fixed_bits()
    {
        using TestMachine m = Machine(GuestMode.Long);
        Assert.True(ControlRegisters.TrySetDr6(m.State, 0));
        Assert.Equal(0xFFFF_0FF0ul, m.State->Dr6);
        Assert.True(ControlRegisters.TrySetDr6(m.State, uint.MaxValue));
        Assert.Equal(0xFFFF_EFFFul, m.State->Dr6);
        Assert.True(ControlRegisters.TrySetDr7(m.State, 0));
        Assert.Equal(0x400ul, m.State->Dr7);
        Assert.True(ControlRegisters.TrySetDr7(m.State, uint.MaxValue));
        Assert.Equal(0xFFFF_2FFFul, m.State->Dr7);
        Assert.False(ControlRegisters.TrySetDr6(m.State, 1ul << 32));
        Assert.False(ControlRegisters.TrySetDr7(m.State, 1ul << 32));
    }
}
