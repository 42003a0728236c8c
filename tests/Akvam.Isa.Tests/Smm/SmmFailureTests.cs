using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>RSM with an image that describes no legal state: shutdown, outside SMM. [APM2 10.3.3]</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmFailureTests
{
    /// <summary>What is wrong, mode, offset in the 64-bit image, bits to set, bits to clear, and what the trace says of it.</summary>
    public static TheoryData<string, GuestMode, int, ulong, ulong, string> BadImages() => new()
    {
        { "CR0 PG without PE", GuestMode.Long, 0xFF58, 0, Cr0.PE, "CR0 … PG without PE" },
        { "CR0 NW without CD", GuestMode.Long, 0xFF58, Cr0.NW, Cr0.CD, "CR0 … NW without CD" },
        { "CR0 high half", GuestMode.Real, 0xFF58, 1ul << 32, 0, "CR0 … bits above 31" },
        { "CR4 reserved bit", GuestMode.Real, 0xFF48, 1ul << 31, 0, "CR4 … bits 0x80000000 are not in CPUID" },
        { "CR4 high half", GuestMode.Real, 0xFF48, 1ul << 40, 0, "CR4 … bits 0x10000000000 are not in CPUID" },
        { "CR4.VMXE without VMX", GuestMode.Real, 0xFF48, Cr4.VMXE, 0, "CR4 … bits 0x2000 are not in CPUID" },
        { "CR4.PCIDE without long mode", GuestMode.Protected32Paged, 0xFF48, Cr4.PCIDE, 0, "CR4 … PCIDE without long mode" },
        { "long mode without CR4.PAE", GuestMode.Long, 0xFF48, 0, Cr4.PAE, "CR0 … long mode without CR4.PAE" },
        { "EFER reserved bit", GuestMode.Real, 0xFED0, 1ul << 2, 0, "EFER 0x4 … bits 0x4 are not in CPUID" },
        { "EFER.SVME without SVM", GuestMode.Real, 0xFED0, Efer.SVME, 0, "EFER 0x1000 … bits 0x1000 are not in CPUID" },
        { "DR6 high half", GuestMode.Real, 0xFF68, 1ul << 32, 0, "DR6 … bits above 31" },
        { "DR7 high half", GuestMode.Real, 0xFF60, 1ul << 63, 0, "DR7 … bits above 31" },
        { "CR3 beyond MAXPHYADDR", GuestMode.Long, 0xFF50, 1ul << 50, 0, "CR3 … bits 0x4000000000000 are beyond the physical address width" },
        { "PDPTEs unreadable", GuestMode.Pae, 0xFF50, 1ul << 30, 0, "CR0 … a PDPTE is unreadable or has reserved bits set" },
        { "SVM guest without SVM", GuestMode.Long, 0xFED8, 1, 0, "SVM guest flag 0x1 … CPUID has no SVM" },
    };

    [Theory]
    [MemberData(nameof(BadImages))]
    public void Seed2_1_Seed2_2_Seed2_9_a_bad_image_shuts_down_outside_SMM(string what, GuestMode mode, int offset, ulong set, ulong clear, string traced)
    {
        using var m = new SmmMachine(mode);
        m.EnterSmm();
        ref ulong field = ref m.Image<ulong>(offset);
        field = (field | set) & ~clear;
        Assert.True(m.Run(1) == RunResult.Shutdown, what);
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(0, m.S->NmiMasked);
        Assert.Equal(0, m.S->TripleFault);
        Assert.Contains("leaving SMM", m.Trace[^2], StringComparison.Ordinal);
        string[] reason = traced.Split(" … ");
        Assert.StartsWith($"rsm_failed: {reason[0]}", m.Trace[^1], StringComparison.Ordinal);
        Assert.EndsWith($": {reason[1]}", m.Trace[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Seed2_2_shutdown_keeps_the_recorded_NMI_mask()
    {
        using var m = new SmmMachine();
        m.S->NmiMasked = 1;
        m.EnterSmm();
        m.Image<ulong>(0xFF58) = 1ul << 32;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(1, m.S->NmiMasked);
    }

    [Fact]
    public void G4_PDPTE_reserved_bits_shut_down()
    {
        using var m = new SmmMachine(GuestMode.Pae);
        m.EnterSmm();
        *(ulong*)(m.Inner.Ram + ModeSetup.Tables + 0x1000) |= 6;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
    }

    [Fact]
    public void D2_an_unreadable_image_shuts_down_outside_SMM()
    {
        using var m = new SmmMachine();
        m.EnterSmm();

        // The handler runs from RAM below, because SMRAM disappears under it.
        m.S->Cs.Base = 0;
        Processor.UpdateMode(m.S);
        m.S->Rip = SmmMachine.Rip;
        new byte[] { 0x0F, 0xAA }.CopyTo(m.Inner.Memory[(int)SmmMachine.Rip..]);
        m.MapSmram(false);
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(0, m.S->NmiMasked);
        Assert.Contains("rsm_failed: no memory at 0x3fe00 in address space 1", m.Trace);
    }

    [Fact]
    public void Seed2_5_an_INIT_latched_in_SMM_acts_after_the_failed_RSM()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.S->InitPending = 1;
        Assert.Equal(RunResult.Limit, m.Run(0));
        Assert.Equal(1, m.S->InSmm);
        m.Image<ulong>(0xFF58) = 1ul << 32;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.NotEqual(0xFFF0ul, m.S->Rip);
        m.Run(0);
        Assert.Equal(0xFFF0ul, m.S->Rip);
        Assert.Equal(0xFFFF_0000ul, m.S->Cs.Base);
        Assert.Equal(0, m.S->InSmm);
    }

    [Fact]
    public void Seed2_4_an_SMI_waits_until_the_processor_runs_again()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.S->SmiPending = 1;
        m.Image<ulong>(0xFF58) = 1ul << 32;
        Assert.Equal(RunResult.Shutdown, m.Run(5));
        Assert.Equal(0, m.S->InSmm);
        Assert.Equal(1, m.S->SmiPending);
        Assert.Equal(1ul, m.S->SmiCount);
    }

    [Fact]
    public void Seed2_4_an_NMI_acts_when_the_processor_runs_again()
    {
        using var m = new SmmMachine();
        m.EnterSmm();
        m.S->NmiPending = 1;
        m.Image<ulong>(0xFF68) = 1ul << 32;
        Assert.Equal(RunResult.Shutdown, m.Run(5));
        Assert.Equal(1, m.S->NmiPending);

        // What the failed RSM left is not specified; the client sets up something that runs.
        ModeSetup.Enter(m.Inner, GuestMode.Real, SmmMachine.Rip);
        m.S->NmiPending = 1;
        Assert.Equal(RunResult.Halted, m.Run(5));
        Assert.Equal(ModeSetup.Handlers + 3, m.S->Rip);
    }

    [Fact]
    public void Seed2_6_the_vendor_makes_no_difference()
    {
        string[] end = new string[2];
        for (int intel = 0; intel < 2; intel++)
        {
            using var m = new SmmMachine(GuestMode.Long);
            CpuidEntry[] table = m.Inner.Processor.Cpuid.Entries.ToArray();
            foreach (ref CpuidEntry e in table.AsSpan())
            {
                if (e.Function == 0 && intel == 1)
                {
                    (e.Ebx, e.Edx, e.Ecx) = (0x756E_6547, 0x4965_6E69, 0x6C65_746E);
                }
            }

            m.Inner.Processor.Cpuid.SetEntries(table);
            m.S->NmiMasked = 1;
            m.EnterSmm();
            Assert.Equal(0x0002_0064u, m.Image<uint>(0xFEFC));
            m.Image<ulong>(0xFF58) &= ~Cr0.PE;
            Assert.Equal(RunResult.Shutdown, m.Run(1));
            end[intel] = m.Describe();
        }

        Assert.Equal(end[0], end[1]);
        Assert.Contains("nmi 1 smm 0", end[0], StringComparison.Ordinal);
    }

    [Fact]
    public void G16_a_triple_fault_inside_the_handler_leaves_the_flag_and_the_address_space_in_step()
    {
        // The IDT of a fresh handler is empty: INT3 is a triple fault.
        using var m = new SmmMachine();
        m.Handler(0xCC);
        m.EnterSmm();
        m.Inner.Memory[0x3_8000] = 0x90;
        Assert.Equal(RunResult.Shutdown, m.Run(1));
        Assert.Equal(1, m.S->InSmm);
        Assert.Equal(0x8000ul, m.S->Rip);
        Assert.Equal(RunResult.Shutdown, m.Run(1));
    }
}
