using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>Order, single reads, priorities and the maps' pitfalls. The ids in the names are those of the project's semantics sheet.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmPitfallTests
{
    /// <summary>Registers that every published map has, with their common place: offset from SMBASE + 8000h, as the manuals print it.</summary>
    public static TheoryData<string, int, int> CommonFields() => new()
    {
        { "CR0", 0x7F58, 0x7FFC },
        { "CR3", 0x7F50, 0x7FF8 },
        { "EFLAGS", 0x7F70, 0x7FF4 },
        { "EIP", 0x7F78, 0x7FF0 },
        { "EDI", 0x7FC0, 0x7FEC },
        { "ESI", 0x7FC8, 0x7FE8 },
        { "EBP", 0x7FD0, 0x7FE4 },
        { "ESP", 0x7FD8, 0x7FE0 },
        { "EBX", 0x7FE0, 0x7FDC },
        { "EDX", 0x7FE8, 0x7FD8 },
        { "ECX", 0x7FF0, 0x7FD4 },
        { "EAX", 0x7FF8, 0x7FD0 },
        { "DR6", 0x7F68, 0x7FCC },
        { "DR7", 0x7F60, 0x7FC8 },
        { "TR", 0x7E90, 0x7FC4 },
        { "LDTR", 0x7E70, 0x7FC0 },
        { "GS", 0x7E50, 0x7FBC },
        { "FS", 0x7E40, 0x7FB8 },
        { "DS", 0x7E30, 0x7FB4 },
        { "SS", 0x7E20, 0x7FB0 },
        { "CS", 0x7E10, 0x7FAC },
        { "ES", 0x7E00, 0x7FA8 },
    };

    [Theory]
    [MemberData(nameof(CommonFields))]
    public void Seed0_9_fields_that_all_maps_share_are_where_the_manuals_have_them(string register, int wide, int narrow)
    {
        foreach (bool longMap in (bool[])[true, false])
        {
            using var m = new SmmMachine(GuestMode.Protected32, longMap);
            CpuState* s = m.S;
            for (int n = 0; n < 8; n++)
            {
                s->Gpr[n] = 0x5566_0000u + (uint)n;
                (&s->Es)[n].Selector = (ushort)(0x1100 + (n * 0x10));
            }

            s->Cr3 = 0x77_7000;
            s->Dr6 = 0xFFFF_0FF5;
            s->Dr7 = 0x500;
            ulong expected = register switch
            {
                "CR0" => s->Cr0,
                "CR3" => s->Cr3,
                "EFLAGS" => LazyFlags.Read(s),
                "EIP" => s->Rip,
                "DR6" => s->Dr6,
                "DR7" => s->Dr7,
                ['E', _, _] => s->Gpr[Array.IndexOf(["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"], register)],
                _ => (&s->Es)[Array.IndexOf(["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"], register)].Selector,
            };
            Assert.NotEqual(0ul, expected);
            m.EnterSmm();
            int offset = 0x8000 + (longMap ? wide : narrow);
            Assert.Equal(expected, wide <= 0x7E90 && longMap ? m.Image<ushort>(offset) : m.Image<uint>(offset));
        }
    }

    [Theory]
    [InlineData(0xA_0000u)]
    [InlineData(0x7FFF_0000u)]
    [InlineData(0x7FFF_1230u)]
    public void Seed0_11_SMBASE_anywhere(uint smbase)
    {
        using var m = new SmmMachine();
        byte* memory = stackalloc byte[0x3000];
        byte* pages = (byte*)(((nuint)memory + 0xFFF) & ~(nuint)0xFFF);
        new Span<byte>(pages, 0x2000).Fill(0xEE);
        ulong image = smbase + 0xFE00ul, page = image & ~0xFFFul;
        if (page < (ulong)m.Inner.Bytes)
        {
            m.Inner.Processor.Group.Memory.SetSlot(1, 3, 0, 0, m.Inner.Ram, false, false);
        }

        m.Inner.Processor.Group.Memory.SetSlot(1, 4, page, 0x2000, pages, false, false);
        m.S->Smbase = smbase;
        m.S->Gpr[Register.Rax] = 0x1122_3344_5566_7788;
        m.EnterSmm();
        byte* saved = pages + (image - page);
        Assert.Equal(0x1122_3344_5566_7788ul, *(ulong*)(saved + 0x1F8));
        Assert.Equal(smbase, *(uint*)(saved + 0x100));
        Assert.Equal(0xEE, saved[-1]);
        Assert.Equal(0xEE, saved[0x200]);
        Assert.Equal((ushort)(smbase >> 4), m.S->Cs.Selector);
        Assert.Equal((ulong)smbase, m.S->Cs.Base);
    }

    [Fact]
    public void Seed0_19_entering_maps_SMRAM_records_and_blocks_NMIs_and_holds_SMIs()
    {
        foreach (byte masked in (byte[])[0, 1])
        {
            using var m = new SmmMachine();
            m.Inner.Memory.Slice(0x3_8000, 2).Fill(0xF4);
            m.S->NmiMasked = masked;
            m.EnterSmm();
            Assert.Equal(masked, m.S->SmmInsideNmi);
            Assert.Equal(1, m.S->NmiMasked);
            m.S->SmiPending = 1;
            m.Handler(0x90, 0x0F, 0xAA);
            Assert.Equal(RunResult.Limit, m.Run(1));
            Assert.Equal(0x8001ul, m.S->Rip);
            Assert.Equal(1, m.S->SmiPending);
        }
    }

    [Fact]
    public void Seed3_2_the_flag_is_cleared_before_anything_is_loaded()
    {
        // The trace event of the change still has the old SMBASE, and shows the handler's registers.
        using var m = new SmmMachine();
        m.EnterSmm();
        m.Image<uint>(0xFF00) = 0x3_4000;
        m.Image<ulong>(0xFED0) = 1 << 2;
        m.S->Gpr[Register.Rax] = 0x1234;
        ulong rax = 0;
        m.Traced = () => rax = m.Trace.Count == 3 ? m.S->Gpr[Register.Rax] : rax;
        m.Image<ulong>(0xFFF8) = 0x9999;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(["kvm_enter_smm: vcpu 0: leaving SMM, smbase 0x30000", "rsm_failed: EFER 0x4: bits 0x4 are not in CPUID"], m.Trace[2..]);
        Assert.Equal(0x1234ul, rax);
        Assert.Equal(0x9999ul, m.S->Gpr[Register.Rax]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Seed3_5_Seed3_9_the_image_is_read_once_before_the_flag_changes(bool longMap)
    {
        // Another processor overwrites the whole image as soon as the flag has changed.
        using var m = new SmmMachine(GuestMode.Protected32, longMap);
        string before = m.Describe();
        m.EnterSmm();
        m.Traced = () => m.Smram.Slice(0xFE00, 512).Fill(0xFF);
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
        Assert.Equal(0xFFFF_FFFFu, m.Image<uint>(0xFEFC));
    }

    [Fact]
    public void G8_high_halves_exist_in_the_64_bit_map_only()
    {
        // In the 32-bit map the dword after DR7 is DR6, not a high half.
        using var m = new SmmMachine(GuestMode.Protected32, longMap: false);
        m.EnterSmm();
        m.Image<uint>(0xFFC8) = 0x0000_0455;
        m.Image<uint>(0xFFCC) = 0xFFFF_4FF3;
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(0x455ul, m.S->Dr7);
        Assert.Equal(0xFFFF_4FF3ul, m.S->Dr6);
        Assert.Equal(1, m.S->CodeBreakpoints);
    }

    [Theory]
    [InlineData(0xFF60)]
    [InlineData(0xFF68)]
    public void G8_a_high_half_shuts_down(int offset)
    {
        using var m = new SmmMachine(GuestMode.Long);
        m.EnterSmm();
        m.Image<uint>(offset + 4) = 1;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
    }

    [Fact]
    public void G18_without_shadow_stacks_their_pointer_is_zero_and_ignored()
    {
        using var m = new SmmMachine(GuestMode.Long);
        string before = m.Describe();
        m.EnterSmm();
        Assert.Equal(0ul, m.Image<ulong>(0xFF18));
        m.Image<ulong>(0xFF18) = ulong.MaxValue;
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(before, m.Describe());
    }

    [Fact]
    public void D5_an_SMI_comes_before_an_INIT_which_waits_for_RSM()
    {
        using var m = new SmmMachine();
        m.S->InitPending = 1;
        m.EnterSmm();
        Assert.Equal(1, m.S->InitPending);
        m.Run(1);
        Assert.Equal(0, m.S->InitPending);
        Assert.Equal(0xFFF0ul, m.S->Rip);
        Assert.Equal(0ul, m.S->SmiCount);
    }

    [Fact]
    public void A_STARTUP_in_SMM_is_dropped()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        (m.S->Activity, m.S->SipiPending, m.S->SipiVector) = (Activity.InitReceived, 1, 0x12);
        m.Run(0);
        Assert.Equal((Activity.InitReceived, 0, 0x8000ul), (m.S->Activity, m.S->SipiPending, m.S->Rip));
    }

    [Fact]
    public void D5_as_KVM_an_INIT_comes_first_and_the_SMI_is_lost()
    {
        using var m = new SmmMachine();
        m.Inner.Processor.Quirks = ProcessorQuirks.KvmInitSmi;
        m.S->InitPending = m.S->SmiPending = 1;
        Assert.Equal(RunResult.Limit, m.Run(0));
        Assert.Equal((0, 0, 0), (m.S->InSmm, m.S->SmiPending, m.S->InitPending));
        Assert.Equal(0xFFF0ul, m.S->Rip);

        // Alone the SMI comes as ever.
        m.Handler(0x0F, 0xAA);
        m.EnterSmm();
    }

    [Fact]
    public void D17_an_SVM_guest_has_no_place_in_the_32_bit_map()
    {
        using var m = new SmmMachine(GuestMode.Protected32, longMap: false);
        m.S->GuestMode = m.S->SmiPending = 1;
        Assert.Equal(RunResult.NoSmram, m.Run(1));
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(["smi_failed: an SVM guest, for which the 32-bit map has no place"], m.Trace);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_debug_trap_that_waits_when_the_SMI_comes_is_in_the_image_and_delivered_after_RSM(bool longMap)
    {
        using var m = new SmmMachine(GuestMode.Real, longMap);
        m.S->PendingDebug = 1 << 14;
        m.EnterSmm();
        Assert.Equal(SmmMachine.Rip, longMap ? m.Image<ulong>(0xFF78) : m.Image<uint>(0xFFF0));
        Assert.Equal(0x4000, m.Image<ushort>(longMap ? 0xFECC : 0xFF24));
        Assert.Equal(0u, m.S->PendingDebug);
        m.Run(1);
        Assert.Equal(ModeSetup.Handlers + 1, m.S->Rip);
        Assert.Equal(1ul << 14, m.S->Dr6 & 1 << 14);
    }

    [Fact]
    public void RSM_does_not_trap_for_the_handlers_TF_and_the_programs_next_instruction_does_for_its_own()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        LazyFlags.Write(m.S, m.S->SystemFlags | Rflags.TF);
        m.Run(1);
        Assert.Equal(SmmMachine.Rip, m.S->Rip);
        m.EnterSmm();
        m.Image<ulong>(0xFF70) |= Rflags.TF;
        m.Run(1);
        Assert.Equal(SmmMachine.Rip, m.S->Rip);
        m.Run(1);
        Assert.Equal(ModeSetup.Handlers + 1, m.S->Rip);
        Assert.Equal(SmmMachine.Rip + 1, *(ushort*)(m.Inner.Ram + 0x7000 - 6));
    }

    [Fact]
    public void RSM_with_LOCK_is_undefined_in_SMM_too()
    {
        using var m = new SmmMachine();
        m.Handler(0xF0, 0x0F, 0xAA);
        m.EnterSmm();
        m.Inner.Processor.InterceptedExceptions = 1u << 6;
        Assert.Equal(RunResult.Debug, m.Run(1));
        Assert.Equal(1, m.S->InSmm);
    }

    [Fact]
    public void A_debugger_that_blocks_events_blocks_SMIs_and_NMIs()
    {
        using var m = new SmmMachine();
        m.Inner.Processor.BlocksEvents = true;
        m.S->SmiPending = m.S->NmiPending = 1;
        m.Run(3);
        Assert.Equal(SmmMachine.Rip + 3, m.S->Rip);
        m.Inner.Processor.BlocksEvents = false;
        m.EnterSmm();
        Assert.Equal(1, m.S->NmiPending);
    }
}
