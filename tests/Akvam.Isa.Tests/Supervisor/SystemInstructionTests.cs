using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Msr;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>System instructions: results and faults.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SystemInstructionTests
{
    private static TestMachine Machine(GuestMode mode, params byte[] code)
    {
        var m = new TestMachine();
        m.Processor.Cpuid.SetEntries(CpuidModel.Supported());
        ModeSetup.Enter(m, mode, 0xC000);
        m.Memory.Slice(0xC000, 64).Fill(0x90);
        code.CopyTo(m.Memory[0xC000..]);
        m.Processor.InterceptedExceptions = uint.MaxValue;
        return m;
    }

    [Theory]
    [InlineData(GuestMode.Long, "0F20C8", 0, Vector.UD)] // mov rax, cr1
    [InlineData(GuestMode.LongUser, "0F20C0", 0, Vector.GP)] // mov rax, cr0
    [InlineData(GuestMode.Virtual8086, "0F20C0", 0, Vector.GP)]
    [InlineData(GuestMode.Long, "F00F22C0", 0, Vector.UD)] // lock mov cr0, rax
    [InlineData(GuestMode.LongUser, "F4", 0, Vector.GP)] // hlt
    [InlineData(GuestMode.Virtual8086, "F4", 0, Vector.GP)]
    [InlineData(GuestMode.LongUser, "0F32", 0xC0000080, Vector.GP)] // rdmsr
    [InlineData(GuestMode.Long, "0F32", 0x12345, Vector.GP)]
    [InlineData(GuestMode.Long, "0F01D0", 7, Vector.GP)] // xgetbv
    [InlineData(GuestMode.Real, "0F01D0", 0, Vector.UD)] // xgetbv without CR4.OSXSAVE
    [InlineData(GuestMode.LongUser, "0F01D1", 0, Vector.GP)] // xsetbv
    [InlineData(GuestMode.LongUser, "0F01CB", 0, Vector.UD)] // stac
    [InlineData(GuestMode.Long, "0F01EE", 0, Vector.UD)] // rdpkru without CR4.PKE
    [InlineData(GuestMode.Protected32, "F30FAEC0", 0, Vector.UD)] // rdfsbase outside 64-bit mode
    [InlineData(GuestMode.LongUser, "0F33", 0, Vector.GP)] // rdpmc
    [InlineData(GuestMode.Long, "0F33", 0, Vector.GP)]
    [InlineData(GuestMode.Long, "0F01C1", 0, Vector.UD)] // vmcall
    [InlineData(GuestMode.Long, "0F01D9", 0, Vector.UD)] // vmmcall
    [InlineData(GuestMode.Real, "0F37", 0, Vector.UD)] // getsec
    [InlineData(GuestMode.LongUser, "0F013F", 0, Vector.GP)] // invlpg [rdi]
    public void Faults(GuestMode mode, string code, uint rcx, Vector vector)
    {
        using TestMachine m = Machine(mode, Convert.FromHexString(code));
        m.State->Gpr[Register.Rcx] = rcx;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1));
        Assert.Equal(vector, m.State->Fault.Vector);
        Assert.Equal(0xC000ul, m.State->Rip);
    }

    [Fact]
    public void DR4_and_DR5_are_aliases_unless_CR4_DE()
    {
        // mov rax, dr4
        using TestMachine m = Machine(GuestMode.Long, 0x0F, 0x21, 0xE0);
        m.State->Dr6 = 0xFFFF_0FF1;
        m.Processor.Run(1);
        Assert.Equal(0xFFFF_0FF1ul, m.State->Gpr[Register.Rax]);
        m.State->Rip = 0xC000;
        m.State->Cr4 |= Cr4.DE;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1));
        Assert.Equal(Vector.UD, m.State->Fault.Vector);
    }

    [Fact]
    public void General_detect_faults_before_a_debug_register_is_touched()
    {
        // mov dr0, rax
        using TestMachine m = Machine(GuestMode.Long, 0x0F, 0x23, 0xC0);
        m.State->Gpr[Register.Rax] = 0x1234;
        m.State->Dr7 |= 1 << 13;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1));
        Assert.Equal((Vector.DB, 1ul << 13), (m.State->Fault.Vector, m.State->Fault.Payload));
        Assert.Equal(0ul, m.State->Dr[0]);
    }

    [Fact]
    public void LMSW_sets_PE_and_cannot_clear_it()
    {
        // lmsw ax ; lmsw cx
        using TestMachine m = Machine(GuestMode.Real, 0x0F, 0x01, 0xF0, 0x0F, 0x01, 0xF1);
        m.State->Gpr[Register.Rax] = 0xFFF1;
        m.State->Gpr[Register.Rcx] = 0x8;
        m.Processor.Run(1);
        Assert.Equal(1ul, m.State->Cr0 & 0xF);
        m.Processor.Run(1);
        Assert.Equal(9ul, m.State->Cr0 & 0xF);
    }

    [Fact]
    public void A_write_of_a_bad_EFER_faults_and_a_good_one_is_read_back()
    {
        // wrmsr ; rdmsr
        using TestMachine m = Machine(GuestMode.Real, 0x0F, 0x30, 0x0F, 0x32);
        m.State->Gpr[Register.Rcx] = MsrIndex.MSR_EFER;
        m.State->Gpr[Register.Rax] = 1 << 2;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1));
        m.State->Gpr[Register.Rax] = Efer.SCE | Efer.NXE;
        m.State->Gpr[Register.Rdx] = 0;
        m.Processor.Run(1);
        m.State->Gpr[Register.Rax] = 0;
        m.Processor.Run(1);
        Assert.Equal(Efer.SCE | Efer.NXE, m.State->Gpr[Register.Rax]);
    }

    [Theory]
    [InlineData(MsrIndex.MSR_LSTAR, 0x8000_0000_0000_0000ul, false)]
    [InlineData(MsrIndex.MSR_KERNEL_GS_BASE, 0xFFFF_8000_0000_0000ul, true)]
    [InlineData(MsrIndex.MSR_IA32_CR_PAT, 0x0007_0406_0007_0406ul, true)]
    [InlineData(MsrIndex.MSR_IA32_CR_PAT, 2ul, false)]
    [InlineData(MsrIndex.MSR_MTRRdefType, 0xC06ul, true)]
    [InlineData(MsrIndex.MSR_MTRRdefType, 0xC02ul, false)]
    [InlineData(MsrIndex.MSR_MTRRphysBase0, 0x1000_0006ul, true)]
    [InlineData(MsrIndex.MSR_MTRRphysBase0, 1ul << 50, false)]
    [InlineData(MsrIndex.MSR_IA32_SMBASE, 0x3_0000ul, false)]
    [InlineData(MsrIndex.MSR_SMI_COUNT, 1ul, false)]
    [InlineData(MsrIndex.MSR_TSC_AUX, 0x77ul, true)]
    [InlineData(MsrIndex.MSR_K7_HWCR, 1ul << 18, true)]
    [InlineData(MsrIndex.MSR_K7_HWCR, 1ul, false)]
    [InlineData(0xC000_1234u, 0ul, false)]
    public void Guest_writes_of_MSRs(uint index, ulong value, bool allowed)
    {
        using TestMachine m = Machine(GuestMode.Real);
        Assert.Equal(allowed ? MsrAccess.Done : MsrAccess.Fault, m.Processor.Msrs.Write(m.State, index, value));
        if (allowed)
        {
            Assert.Equal(MsrAccess.Done, m.Processor.Msrs.Read(m.State, index, out ulong read));
            Assert.Equal(value, read);
        }
    }

    [Fact]
    public void Every_listed_MSR_can_be_read_and_written_back_by_user_space()
    {
        using TestMachine m = Machine(GuestMode.Real);
        foreach (uint index in MsrList.State)
        {
            Assert.Equal(MsrAccess.Done, m.Processor.Msrs.Read(m.State, index, out ulong value, hostInitiated: true));
            Assert.Equal(MsrAccess.Done, m.Processor.Msrs.Write(m.State, index, value, hostInitiated: true));
            m.Processor.Msrs.Read(m.State, index, out ulong again, hostInitiated: true);
            Assert.Equal(value, again);
        }
    }

    [Fact]
    public void A_guests_TSC_write_moves_TSC_ADJUST()
    {
        using TestMachine m = Machine(GuestMode.Real);
        MsrFile msrs = m.Processor.Msrs;
        msrs.Write(m.State, MsrIndex.MSR_IA32_TSC, 1000);
        msrs.Read(m.State, MsrIndex.MSR_IA32_TSC_ADJUST, out ulong adjust);
        Assert.Equal(1000ul, adjust);
        msrs.Write(m.State, MsrIndex.MSR_IA32_TSC_ADJUST, 400);
        msrs.Read(m.State, MsrIndex.MSR_IA32_TSC, out ulong tsc);
        Assert.Equal(400ul, tsc);
        msrs.Write(m.State, MsrIndex.MSR_IA32_TSC, 0, hostInitiated: true);
        msrs.Read(m.State, MsrIndex.MSR_IA32_TSC_ADJUST, out adjust);
        Assert.Equal(400ul, adjust);
    }

    [Theory]
    [InlineData("0F0117", 0x00AA_AAAA_AAAA_AAAA, true)] // lgdt [rdi]
    [InlineData("0F011F", 0x00AA_AAAA_AAAA_AAAA, true)] // lidt [rdi]
    [InlineData("0F0117", 0x0AAA_AAAA_AAAA_AAAA, false)]
    [InlineData("0F011F", 0x0AAA_AAAA_AAAA_AAAA, false)]
    public void A_table_base_is_canonical_for_the_widest_paging_mode_that_CPUID_offers(string code, ulong address, bool allowed)
    {
        foreach (bool la57 in new[] { true, false })
        {
            using TestMachine m = Machine(GuestMode.Long, Convert.FromHexString(code));
            CpuidEntry[] table = CpuidModel.Supported();
            int features = Array.FindIndex(table, e => e.Function == 7 && e.Index == 0);
            table[features].Ecx &= la57 ? uint.MaxValue : ~(1u << 16);
            m.Processor.Cpuid.SetEntries(table);
            m.State->Gpr[Register.Rdi] = 0xD000;
            *(ulong*)(m.Ram + 0xD002) = address;
            Assert.Equal(allowed && la57 ? RunResult.Limit : RunResult.Debug, m.Processor.Run(1));
        }
    }
}
