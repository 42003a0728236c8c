using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Smm;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>SMI and RSM that succeed. The ids in the names are those of the project's semantics sheet (seed statements, and G for known pitfalls).</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmTransitionTests
{
    public static TheoryData<GuestMode, bool> ModesAndMaps()
    {
        TheoryData<GuestMode, bool> data = [];
        foreach (GuestMode mode in Enum.GetValues<GuestMode>())
        {
            data.Add(mode, true);
            if (mode is not (GuestMode.Long or GuestMode.LongUser or GuestMode.Compatibility16 or GuestMode.Compatibility32))
            {
                data.Add(mode, false);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(ModesAndMaps))]
    public void Seed0_1_Seed0_2_RSM_restores_everything_in_every_mode(GuestMode mode, bool longMap)
    {
        using var m = new SmmMachine(mode, longMap);
        CpuState* s = m.S;
        for (int n = 0; n < 16; n++)
        {
            s->Gpr[n] = longMap ? 0x1111_2222_3333_0000ul * (ulong)(n + 1) : n < 8 ? 0x1234_0000u + (uint)n : 0;
        }

        LazyFlags.Write(s, s->SystemFlags | Rflags.CF | Rflags.OF | Rflags.AF | Rflags.DF);
        s->Ldtr = new SegmentRegister { Selector = 0x50, Base = 0x1_2345, Limit = 0xABCDE, Attributes = 0x82 };
        s->Fs.Base = 0x4_4444;
        s->Dr6 = 0xFFFF_0FF2;
        s->Cr2 = 0xDEAD;
        string before = m.Describe();
        m.EnterSmm();
        Assert.Equal(longMap ? 0x0002_0064u : 0x0002_0000u, m.Image<uint>(0xFEFC));
        Assert.Equal((uint)s->Smbase, m.Image<uint>(longMap ? 0xFF00 : 0xFEF8));
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
        Assert.Equal(1ul, s->SmiCount);
    }

    [Fact]
    public void The_handler_starts_in_the_defined_state()
    {
        using var m = new SmmMachine(GuestMode.Long);
        CpuState* s = m.S;
        s->Dr7 = 0x401;
        s->Cr0 |= Cr0.TS | Cr0.EM | Cr0.WP | Cr0.MP;
        ulong cr3 = s->Cr3;
        m.EnterSmm();
        Assert.Equal(2ul, LazyFlags.Read(s));
        Assert.Equal(0x8000ul, s->Rip);
        Assert.Equal(Cr0.WP | Cr0.MP | Cr0.ET | Cr0.NE, s->Cr0);
        Assert.Equal(0ul, s->Cr4 | s->Efer | s->IdtBase | s->IdtLimit);
        Assert.Equal(cr3, s->Cr3);
        Assert.Equal(0x400ul, s->Dr7);
        Assert.Equal(new SegmentRegister { Selector = 0x3000, Base = 0x30000, Limit = uint.MaxValue, Attributes = 0x8093 }, s->Cs);
        Assert.Equal(new SegmentRegister { Limit = uint.MaxValue, Attributes = 0x8093 }, s->Ss);
        Assert.Equal(ModeSetup.Gdt, s->GdtBase);
        Assert.Equal(1, s->NmiMasked);
    }

    [Fact]
    public void Seed0_3_Seed0_7_Seed0_8_records_of_the_32_bit_map()
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap: false);
        CpuState* s = m.S;
        for (int n = 0; n < 6; n++)
        {
            (&s->Es)[n].Base = 0x1000u * (uint)(n + 1);
        }

        s->Cs.Base = 0;
        m.EnterSmm();
        Assert.Equal(0x00C0_9B00u, m.Image<uint>(0xFF90));
        Assert.Equal(uint.MaxValue, m.Image<uint>(0xFF94));
        for (int n = 0; n < 6; n++)
        {
            int record = n < 3 ? 0xFF84 + (12 * n) : 0xFF2C + (12 * (n - 3));
            Assert.Equal(n == 1 ? 0 : 0x1000u * (uint)(n + 1), m.Image<uint>(record + 8));
            Assert.Equal((uint)(n == 1 ? ModeSetup.Code32 : ModeSetup.Data), m.Image<uint>(0xFFA8 + (4 * n)));
        }
    }

    [Fact]
    public void Seed0_6_high_halves_of_selector_slots_are_ignored()
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap: false);
        string before = m.Describe();
        m.EnterSmm();
        for (int offset = 0xFFA8; offset <= 0xFFC4; offset += 4)
        {
            m.Image<uint>(offset) |= 0xFFFF_0000;
        }

        m.Run(1);
        Assert.Equal(before, m.Describe());
    }

    [Theory]
    [InlineData(0x3_8000u)]
    [InlineData(0x3_8123u)]
    public void Seed0_11_the_image_lies_at_SMBASE_plus_FE00(uint smbase)
    {
        using var m = new SmmMachine();
        m.S->Smbase = smbase;
        m.Handler(0x0F, 0xAA);
        m.S->Gpr[Register.Rax] = 0x1122_3344_5566_7788;
        string before = m.Describe();
        m.EnterSmm();
        Assert.Equal(smbase, m.Image<uint>(0xFF00));
        Assert.Equal(0x1122_3344_5566_7788ul, m.Image<ulong>(0xFFF8));
        Assert.Equal((ushort)(smbase >> 4), m.S->Cs.Selector);
        m.Run(1);
        Assert.Equal(before, m.Describe());
    }

    [Fact]
    public void Seed0_12_reserved_bits_of_segment_attributes_are_ignored()
    {
        using var m = new SmmMachine(GuestMode.Long);
        string before = m.Describe();
        m.EnterSmm();
        for (int offset = 0xFE00; offset <= 0xFE90; offset += 16)
        {
            m.Image<ushort>(offset + 2) |= 0x0F00;
        }

        m.Image<uint>(0xFE60) = m.Image<uint>(0xFE80) = uint.MaxValue;
        m.Run(1);
        Assert.Equal(before, m.Describe());
    }

    [Fact]
    public void Seed0_4_Seed3_3_one_trace_event_for_each_change_of_the_flag()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.Run(1);
        Assert.Equal(["kvm_enter_smm: vcpu 0: entering SMM, smbase 0x30000", "kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x30000"], m.Trace.Where(t => t.StartsWith("kvm_enter_smm", StringComparison.Ordinal)));
        Assert.StartsWith("smm_entry: 64-bit map at 0x3fe00: rip 0x1000 rflags 0x2 ", m.Trace[1], StringComparison.Ordinal);
        Assert.StartsWith("smm_exit: smbase 0x30000: rip 0x1000 rflags 0x2 ", m.Trace[3], StringComparison.Ordinal);
        Assert.Equal(4, m.Trace.Count);
        m.Trace.Clear();
        SmmMode.SetByUser(m.S, false);
        Assert.Empty(m.Trace);
        SmmMode.SetByUser(m.S, true);
        Assert.Single(m.Trace);
    }

    [Fact]
    public void Seed0_20_an_SMI_latched_in_SMM_is_taken_right_after_RSM()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.S->SmiPending = 1;
        m.Run(1);
        Assert.Equal(1, m.S->InSmm);
        Assert.Equal(2ul, m.S->SmiCount);
        Assert.Equal(SmmMachine.Rip, m.Image<ulong>(0xFF78));
        m.Run(1);
        Assert.Equal(0, m.S->InSmm);
    }

    [Fact]
    public void Seed3_4_the_image_comes_from_the_SMM_address_space()
    {
        using var m = new SmmMachine();
        m.Inner.Memory.Slice(0x3FE00, 512).Fill(0xEE);
        string before = m.Describe();
        m.EnterSmm();
        Assert.All(m.Inner.Memory.Slice(0x3FE00, 512).ToArray(), b => Assert.Equal(0xEE, b));
        m.Run(1);
        Assert.Equal(before, m.Describe());
    }

    [Fact]
    public void Seed4_1_CPL_3_survives_with_a_null_SS()
    {
        using var m = new SmmMachine(GuestMode.LongUser);
        m.S->Ss = new SegmentRegister { Unusable = 1 };
        m.EnterSmm();
        Assert.Equal(0x60, m.Image<ushort>(0xFE22));
        m.Run(1);
        Assert.Equal(3, m.S->Cpl);
        Assert.Equal(1, m.S->Ss.Unusable);

        // hlt is privileged: the #GP handler, vector 13, is at CPL 0.
        m.Inner.Memory[(int)SmmMachine.Rip] = 0xF4;
        m.Run(0);
        m.Inner.Processor.InterceptedExceptions = 1u << 13;
        Assert.Equal(RunResult.Debug, m.Run(1));
        Assert.Equal(Vector.GP, m.S->Fault.Vector);
    }

    [Theory]
    [InlineData(0x60, 0x00, 3)]
    [InlineData(0x00, 0x60, 0)]
    public void Seed4_1_the_CPL_is_the_DPL_of_SS_in_the_image_whatever_CS_says(int ssDpl, int csDpl, int cpl)
    {
        using var m = new SmmMachine(GuestMode.LongUser);
        m.EnterSmm();
        m.Image<ushort>(0xFE22) = (ushort)((m.Image<ushort>(0xFE22) & ~0x60) | ssDpl);
        m.Image<ushort>(0xFE12) = (ushort)((m.Image<ushort>(0xFE12) & ~0x60) | csDpl);
        m.Run(1);
        Assert.Equal(cpl, m.S->Cpl);
    }

    [Fact]
    public void G1_RSM_from_64_bit_code()
    {
        using var m = new SmmMachine(GuestMode.Real);
        string before = m.Describe();
        ModeSetup.Enter(m.Inner, GuestMode.Long, SmmMachine.Rip);
        CpuState program = *m.S;
        ModeSetup.Enter(m.Inner, GuestMode.Real, SmmMachine.Rip);
        m.EnterSmm();
        m.S->Cs = program.Cs;
        m.S->Cr3 = program.Cr3;
        m.S->Cr4 = program.Cr4;
        m.S->Efer = program.Efer;
        m.S->Cr0 = program.Cr0;
        m.S->Rip = 0x38000;
        ControlRegisters.Reloaded(m.S);
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
    }

    [Fact]
    public void G2_a_PCID_is_restored()
    {
        using var m = new SmmMachine(GuestMode.Long);
        Assert.True(ControlRegisters.TrySetCr4(m.S, m.S->Cr4 | Cr4.PCIDE));
        Assert.True(ControlRegisters.TrySetCr3(m.S, m.S->Cr3 | 0x123));
        string before = m.Describe();
        m.EnterSmm();
        m.Run(1);
        Assert.Equal(before, m.Describe());
        Assert.Equal(RunResult.Limit, m.Run(5));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void G5_an_interrupt_shadow_is_saved_and_restored(bool longMap)
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap);
        m.S->Shadow = InterruptShadow.Sti;
        m.EnterSmm();
        Assert.Equal(InterruptShadow.None, m.S->Shadow);
        Assert.Equal(2, m.Image<byte>(longMap ? 0xFECB : 0xFF1A));
        m.Run(1);
        Assert.Equal(InterruptShadow.Sti, m.S->Shadow);
    }

    [Fact]
    public void G6_a_64_bit_RIP_is_not_truncated_by_a_16_bit_handler()
    {
        using var m = new SmmMachine(GuestMode.Long);
        m.S->Rip = 0xFFFF_8000_1234_5678;
        m.EnterSmm();
        m.Run(1);
        Assert.Equal(0xFFFF_8000_1234_5678ul, m.S->Rip);
    }

    [Fact]
    public void G7_the_32_bit_map_leaves_R8_to_R15_alone()
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap: false);
        m.EnterSmm();
        m.S->Gpr[8] = 0x1234;
        m.Run(1);
        Assert.Equal(0x1234ul, m.S->Gpr[8]);
    }

    [Fact]
    public void G9_without_memory_at_SMRAM_the_machine_is_dead_but_not_half_in_SMM()
    {
        using var m = new SmmMachine();
        string before = m.Describe();
        m.MapSmram(false);
        m.S->SmiPending = 1;
        Assert.Equal(RunResult.NoSmram, m.Run(1));
        Assert.Equal("smi_failed: no memory at 0x3fe00 in address space 1", m.Trace[^1]);
        Assert.Equal(before, m.Describe());
        Assert.Equal(RunResult.NoSmram, m.Run(1));
    }

    [Fact]
    public void G11_PDPTEs_are_read_again_by_RSM()
    {
        using var m = new SmmMachine(GuestMode.Pae);
        m.EnterSmm();
        *(ulong*)(m.Inner.Ram + ModeSetup.Tables + 0x1008) = 0x7001;
        m.Run(1);
        Assert.Equal(0x7001ul, m.S->Pdpte[1]);
    }

    [Fact]
    public void G13_CPUID_follows_CR4_across_SMI_and_RSM()
    {
        const uint Osxsave = 1 << 27;
        using var m = new SmmMachine(GuestMode.Long);
        Assert.Equal(Osxsave, m.Inner.Processor.Cpuid.Query(m.S, 1, 0).Ecx & Osxsave);
        m.EnterSmm();
        Assert.Equal(0u, m.Inner.Processor.Cpuid.Query(m.S, 1, 0).Ecx & Osxsave);
        m.Run(1);
        Assert.Equal(Osxsave, m.Inner.Processor.Cpuid.Query(m.S, 1, 0).Ecx & Osxsave);
    }

    [Fact]
    public void G17_an_SMI_waits_while_the_processor_waits_for_SIPI()
    {
        using var m = new SmmMachine();
        m.S->Activity = Activity.InitReceived;
        m.S->SmiPending = 1;
        Assert.Equal(RunResult.Waiting, m.Run(1));
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(1, m.S->SmiPending);
    }

    [Fact]
    public void An_SMI_ends_HLT_and_the_saved_RIP_is_behind_it()
    {
        using var m = new SmmMachine();
        m.Inner.Memory[(int)SmmMachine.Rip] = 0xF4;
        Assert.Equal(RunResult.Halted, m.Run(5));
        m.EnterSmm();
        Assert.Equal(SmmMachine.Rip + 1, m.Image<ulong>(0xFF78));
        m.Run(1);
        Assert.Equal(SmmMachine.Rip + 1, m.S->Rip);
        Assert.Equal(Activity.Runnable, m.S->Activity);
    }

    [Fact]
    public void RSM_outside_SMM_is_undefined()
    {
        using var m = new SmmMachine();
        m.Inner.Memory[(int)SmmMachine.Rip] = 0x0F;
        m.Inner.Memory[(int)SmmMachine.Rip + 1] = 0xAA;
        m.Inner.Processor.InterceptedExceptions = 1u << 6;
        Assert.Equal(RunResult.Debug, m.Run(1));
        Assert.Equal(Vector.UD, m.S->Fault.Vector);
    }

    [Fact]
    public void A_handler_may_move_SMBASE_and_change_registers()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.Image<uint>(0xFF00) = 0x3_4000;
        m.Image<ulong>(0xFFF8) = 0xABCD;
        m.Run(1);
        Assert.Equal(0x3_4000ul, m.S->Smbase);
        Assert.Equal(0xABCDul, m.S->Gpr[Register.Rax]);
        m.EnterSmm();
        Assert.Equal(0x3_4000ul, m.S->Cs.Base);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Translations_are_those_of_the_CR3_that_RSM_loads(bool changed)
    {
        // mov rax, [205000h], twice; the other tables do not map it
        const ulong Other = 0x1_0000;
        using var m = new SmmMachine(GuestMode.Long);
        byte[] load = [0x48, 0x8B, 0x04, 0x25, 0x00, 0x50, 0x20, 0x00];
        load.CopyTo(m.Inner.Memory[(int)SmmMachine.Rip..]);
        load.CopyTo(m.Inner.Memory[((int)SmmMachine.Rip + 8)..]);
        ((ulong*)(m.Inner.Ram + ModeSetup.Tables + 0x2000))[1] = 0x87;
        *(ulong*)(m.Inner.Ram + Other) = (Other + 0x1000) | 7;
        *(ulong*)(m.Inner.Ram + Other + 0x1000) = (Other + 0x2000) | 7;
        *(ulong*)(m.Inner.Ram + Other + 0x2000) = 0x87;
        *(ulong*)(m.Inner.Ram + 0x5000) = 0x1234;
        m.Inner.Processor.InterceptedExceptions = 1u << 14;
        Assert.Equal(RunResult.Limit, m.Run(1));
        m.EnterSmm();
        m.Image<ulong>(0xFF50) = changed ? Other : m.Image<ulong>(0xFF50);
        Assert.Equal(RunResult.Limit, m.Run(1));
        m.S->Gpr[Register.Rax] = 0;
        Assert.Equal(changed ? RunResult.Debug : RunResult.Limit, m.Run(1));
        Assert.Equal(changed ? 0ul : 0x1234, m.S->Gpr[Register.Rax]);
    }
}
