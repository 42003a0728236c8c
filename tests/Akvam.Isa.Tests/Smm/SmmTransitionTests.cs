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
        UseEverything(s, longMap ? 16 : 8);
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
        Assert.Equal(1ul, s->SmiCount);
    }

    /// <summary>A handler that left nothing of the program in the registers that RSM restores, but for CR0 and CR4, which an SMI changes by itself.</summary>
    private static void UseEverything(CpuState* s, int registers)
    {
        for (int n = 0; n < registers; n++)
        {
            s->Gpr[n] ^= 0x5A5A_5A5A;
        }

        for (int n = 0; n < 8; n++)
        {
            if (&(&s->Es)[n] != &s->Cs)
            {
                (&s->Es)[n] = new SegmentRegister { Selector = 0x7777, Base = 0x7_7000, Limit = 0x777, Attributes = 0x93 };
            }
        }

        LazyFlags.Write(s, s->SystemFlags | Rflags.SF | Rflags.PF);
        (s->GdtBase, s->GdtLimit, s->IdtBase, s->IdtLimit) = (0x777, 0x77, 0x888, 0x88);
        s->Dr6 ^= 0xF;
        s->Cr3 ^= 0x7_7000;
        Assert.True(ControlRegisters.TrySetDr7(s, 0x500));
    }

    [Theory]
    [InlineData(GuestMode.Long)]
    [InlineData(GuestMode.LongUser)]
    public void The_handler_starts_in_the_defined_state(GuestMode mode)
    {
        using var m = new SmmMachine(mode);
        CpuState* s = m.S;
        s->Dr7 = 0x401;
        s->Cr0 |= Cr0.TS | Cr0.EM | Cr0.WP | Cr0.MP;
        LazyFlags.Write(s, Rflags.Fixed | Rflags.CF | Rflags.OF | Rflags.DF | Rflags.IF | Rflags.NT | Rflags.AC | Rflags.ID | Rflags.IOPL);
        ulong cr3 = s->Cr3;
        m.EnterSmm();
        Assert.Equal(2ul, LazyFlags.Read(s));
        Assert.Equal(0x8000ul, s->Rip);
        Assert.Equal(0, s->Cpl);
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
        m.Image<ushort>(0xFE66) = m.Image<ushort>(0xFE86) = ushort.MaxValue;
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

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void Seed0_20_an_SMI_latched_in_SMM_is_taken_right_after_RSM(EngineKind engine)
    {
        // inc word cs:[9000h]; rsm, with room for many instructions of the program behind it.
        using var m = new SmmMachine(GuestMode.Long, engine: engine);
        m.Handler(0x2E, 0xFF, 0x06, 0x00, 0x90, 0x0F, 0xAA);
        new byte[] { 0xEB, 0xC0 }.CopyTo(m.Inner.Memory[((int)SmmMachine.Rip + 62)..]);
        m.EnterSmm();
        m.S->SmiPending = 1;
        Assert.Equal(RunResult.Limit, m.Run(500));
        Assert.Equal(2, m.Smram[0x9000]);
        Assert.Equal(2ul, m.S->SmiCount);
        Assert.Equal(SmmMachine.Rip, m.Image<ulong>(0xFF78));
        Assert.Equal(0, m.S->InSmm);
    }

    [Fact]
    public void Seed0_18_what_the_image_does_not_hold_is_the_same_in_the_handler_and_after_it()
    {
        using var m = new SmmMachine(GuestMode.Long);
        CpuState* s = m.S;
        (s->Dr[0], s->Dr[1], s->Dr[2], s->Dr[3], s->Cr2, s->Mxcsr, s->Pat, s->Pkru) = (0x11, 0x22, 0x33, 0x44, 0x55, 0x1FA0, 0x0606_0606_0606_0606, 0x66);
        (s->Star, s->Lstar, s->Cstar, s->Sfmask, s->KernelGsBase, s->TscAux) = (0x1_0000, 0x2_0000, 0x3_0000, 0x200, 0x4_0000, 0x77);
        (s->SysenterCs, s->SysenterEsp, s->SysenterEip) = (0x88, 0x99, 0xAA);
        new Span<byte>(s->Fx, 512).Fill(0x15);
        string before = Rest();
        m.EnterSmm();
        Assert.Equal(before, Rest());
        m.Run(1);
        Assert.Equal(before, Rest());

        string Rest() => string.Join(
            ' ',
            s->Dr[0], s->Dr[1], s->Dr[2], s->Dr[3], s->Cr2, s->Mxcsr, s->Pat, s->Pkru, s->Xcr0, s->Star, s->Lstar, s->Cstar, s->Sfmask, s->KernelGsBase, s->TscAux, s->SysenterCs,
            s->SysenterEsp, s->SysenterEip, s->TscOffset, Convert.ToHexString(new ReadOnlySpan<byte>(s->Fx, 512)), Convert.ToHexString(new ReadOnlySpan<byte>(s->Vector, 512)));
    }

    [Fact]
    public void A_breakpoint_of_the_programs_is_none_in_the_handler()
    {
        using var m = new SmmMachine();
        ControlRegisters.SetDr(m.S, 0, 0x3_8000);
        Assert.True(ControlRegisters.TrySetDr7(m.S, 0x402));
        m.EnterSmm();
        Assert.Equal(0, m.S->CodeBreakpoints);
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(SmmMachine.Rip, m.S->Rip);
        Assert.Equal(0x402ul, m.S->Dr7);
        Assert.Equal(1, m.S->CodeBreakpoints);
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
    [InlineData(true)]
    [InlineData(false)]
    public void Seed4_3_Seed4_4_an_unusable_segment_is_not_present_in_the_image_and_keeps_the_rest(bool longMap)
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap);
        m.S->Fs = new SegmentRegister { Selector = 0x53, Base = 0x1234, Limit = 0x567, Attributes = 0x50F6, Unusable = 1 };
        m.EnterSmm();
        Assert.Equal(0x5076u, longMap ? m.Image<ushort>(0xFE42) : m.Image<uint>(0xFF38) >> 8);
        m.S->Fs = default;
        m.Run(1);
        Assert.Equal(new SegmentRegister { Selector = 0x53, Base = 0x1234, Limit = 0x567, Attributes = 0x5076, Unusable = 1 }, m.S->Fs);
    }

    [Theory]
    [InlineData(true, 0, 3)]
    [InlineData(true, 3, 0)]
    [InlineData(false, 0, 3)]
    [InlineData(false, 3, 0)]
    public void Seed4_1_the_image_has_the_CPL_in_the_place_of_the_DPL_of_SS(bool longMap, int dpl, byte cpl)
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap);
        m.S->Ss.Attributes = (ushort)((m.S->Ss.Attributes & ~0x60) | (dpl << 5));
        m.S->Cpl = cpl;
        m.EnterSmm();
        uint attributes = longMap ? m.Image<ushort>(0xFE22) : m.Image<uint>(0xFF9C) >> 8;
        Assert.Equal(cpl, attributes >> 5 & 3);
        Assert.Equal(0x93u, attributes & 0x9Fu);
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(cpl, m.S->Cpl);
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

    public static TheoryData<GuestMode, bool, GuestMode> ModesOfProgramAndHandler()
    {
        TheoryData<GuestMode, bool, GuestMode> data = [];
        foreach (TheoryDataRow<GuestMode, bool> program in ModesAndMaps())
        {
            foreach (GuestMode handler in (GuestMode[])[GuestMode.Long, GuestMode.Compatibility32, GuestMode.Pae, GuestMode.Protected32Paged, GuestMode.Protected32])
            {
                // Only the long map's processors have long mode. PAE's tables are at the same place as long mode's, which sets bits there that PAE's may not have.
                bool longMode = handler is GuestMode.Long or GuestMode.Compatibility32;
                if (!longMode || (program.Data.Item2 && program.Data.Item1 != GuestMode.Pae))
                {
                    data.Add(program.Data.Item1, program.Data.Item2, handler);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(ModesOfProgramAndHandler))]
    public void G1_RSM_from_any_mode_that_the_handler_went_to(GuestMode mode, bool longMap, GuestMode handler)
    {
        using var other = new SmmMachine(handler, longMap);
        using var m = new SmmMachine(mode, longMap);
        new Span<byte>(other.Inner.Ram, (int)SmmMachine.SmramStart).CopyTo(m.Inner.Memory);
        ModeSetup.Enter(m.Inner, mode, SmmMachine.Rip);

        // Without PAE paging these are nothing, and stay.
        ReadOnlySpan<ulong> pdptes = new(other.S->Pdpte, 4);
        pdptes.CopyTo(new Span<ulong>(m.S->Pdpte, 4));
        string before = m.Describe();
        m.EnterSmm();
        GoTo(m.S, other.S);
        m.S->Rip = 0x3_8000;
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
    }

    private static void GoTo(CpuState* s, CpuState* other)
    {
        (s->Cs, s->Ss, s->Ds, s->Efer, s->Cr0, s->Cr3, s->Cr4, s->Cpl) = (other->Cs, other->Ss, other->Ds, other->Efer, other->Cr0, other->Cr3, other->Cr4, other->Cpl);
        ControlRegisters.Reloaded(s);
    }

    [Fact]
    public void What_a_handler_with_paging_translated_is_not_what_the_next_one_sees()
    {
        // 405000h is 5000h there: mov eax, [405000h]; rsm. Without paging, and again as a handler begins, it is memory that does not exist.
        using var m = new SmmMachine(GuestMode.Protected32Paged);
        CpuState program = *m.S;
        new byte[] { 0xA1, 0, 0x50, 0x40, 0, 0x0F, 0xAA }.CopyTo(m.Smram[0x8100..]);
        ModeSetup.Enter(m.Inner, GuestMode.Real, SmmMachine.Rip);
        *(uint*)(m.Inner.Ram + program.Cr3 + 4) = 0x83;
        m.Inner.Memory[0x5000] = 0x12;
        m.EnterSmm();
        GoTo(m.S, &program);
        m.S->Rip = 0x3_8100;
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(0x12ul, m.S->Gpr[Register.Rax]);
        Assert.Equal(RunResult.Limit, m.Run(1));
        m.Handler(0x67, 0x66, 0xA1, 0, 0x50, 0x40, 0);
        m.EnterSmm();
        Assert.Equal(RunResult.UserExit, m.Run(1));
    }

    [Fact]
    public void G1_what_the_handler_allowed_itself_allows_the_image_nothing()
    {
        // With PCIDE set, bit 63 of CR3 would mean something.
        using var m = new SmmMachine(GuestMode.Long);
        CpuState program = *m.S;
        m.EnterSmm();
        GoTo(m.S, &program);
        Assert.True(ControlRegisters.TrySetCr4(m.S, m.S->Cr4 | Cr4.PCIDE));
        m.S->Rip = 0x3_8000;
        m.Image<ulong>(0xFF50) |= 1ul << 63;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
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

    [Theory]
    [InlineData(GuestMode.Real, SmmMachine.Rip)]
    [InlineData(GuestMode.Protected32, SmmMachine.Rip)]
    [InlineData(GuestMode.Compatibility32, SmmMachine.Rip)]
    [InlineData(GuestMode.Long, 0x1_0000_0000 | SmmMachine.Rip)]
    public void G6_a_RIP_above_bit_31_that_the_handler_saved_counts_in_64_bit_code_only(GuestMode mode, ulong expected)
    {
        using var m = new SmmMachine(mode);
        m.EnterSmm();
        m.Image<ulong>(0xFF78) |= 1ul << 32;
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(expected, m.S->Rip);
        if (mode != GuestMode.Long)
        {
            // The program's next instruction is the one that was interrupted.
            Assert.Equal(RunResult.Limit, m.Run(1));
            Assert.Equal(SmmMachine.Rip + 1, m.S->Rip);
        }
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

        // An INIT forgets it.
        m.S->InitPending = 1;
        m.Run(0);
        Assert.Equal(0, m.S->SmiPending);
        Assert.Equal(0xFFF0ul, m.S->Rip);
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
