using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>Near branches: operand sizes, wraps, limits, and that a faulting branch changes nothing. [APM3 CALL (Near)] [APM3 LOOPcc]</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class BranchTests
{
    [Fact]
    public void A_16_bit_target_wraps_at_64_KiB()
    {
        // jmp $+0x4010 from 0xC000 ends at 0x0010
        using var m = new Snippet(GuestMode.Real, "E90D40");
        Assert.Null(m.Run());
        Assert.Equal(0x0010ul, m.State->Rip);
    }

    [Fact]
    public void A_16_bit_operand_size_cuts_eip_in_32_bit_code()
    {
        using var m = new Snippet(GuestMode.Protected32, "66EB10", 0x2_C000);
        Assert.Null(m.Run());
        Assert.Equal(0xC013ul, m.State->Rip);
    }

    [Theory]
    [InlineData("E9000F0000")]
    [InlineData("E8000F0000")]
    [InlineData("FFE0")]
    [InlineData("FFD0")]
    [InlineData("E2F0")]
    [InlineData("C3")]
    public void Beyond_the_cs_limit_nothing_changes(string code)
    {
        using var m = new Snippet(GuestMode.Protected32, code);
        m.State->Cs.Limit = 0xC010;
        m.State->Cs.Base = 0;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m[Register.Rax] = 0xC011;
        m[Register.Rcx] = 5;
        *(uint*)(m.Ram + 0x7000) = 0xC011;
        *(uint*)(m.Ram + 0x6FFC) = 0x5A5A_5A5A;
        if (code == "E2F0")
        {
            // LOOP backwards past 0 wraps to the top of the 4 GiB.
            m.State->Cs.Base = Snippet.Origin;
            Akvam.Cpu.Processor.UpdateMode(m.State);
            m.State->Rip = 0;
        }

        Assert.Equal(Vector.GP, m.Run());
        Assert.Equal(0x7000ul, m[Register.Rsp]);
        Assert.Equal(5ul, m[Register.Rcx]);
        Assert.Equal(0x5A5A_5A5Au, *(uint*)(m.Ram + 0x6FFC));
        Assert.Equal(code == "E2F0" ? 0 : Snippet.Origin, m.State->Rip);
    }

    [Theory]
    [InlineData("C3")]
    [InlineData("C20800")]
    [InlineData("FFE0")]
    [InlineData("FFD0")]
    public void A_non_canonical_target_is_a_protection_fault_at_the_branch(string code)
    {
        using var m = new Snippet(GuestMode.Long, code);
        m[Register.Rax] = *(ulong*)(m.Ram + 0x7000) = 0x0000_8000_0000_0000;
        Assert.Equal(Vector.GP, m.Run());
        Assert.Equal(0x7000ul, m[Register.Rsp]);
        Assert.Equal(Snippet.Origin, m.State->Rip);
    }

    [Fact]
    public void Call_and_ret_with_release()
    {
        using var m = new Snippet(GuestMode.Long, "E80B000000" + "0000000000000000000000" + "C21000");
        Assert.Null(m.Run());
        Assert.Equal(Snippet.Origin + 16, m.State->Rip);
        Assert.Equal(Snippet.Origin + 5, *(ulong*)(m.Ram + 0x6FF8));
        Assert.Null(m.Run());
        Assert.Equal(Snippet.Origin + 5, m.State->Rip);
        Assert.Equal(0x7010ul, m[Register.Rsp]);
    }

    [Theory]
    [InlineData(GuestMode.Long, "E210", 0x1_0000_0000, 0xFFFF_FFFF, true)]
    [InlineData(GuestMode.Long, "67E210", 0x1_0000_0001, 0, false)]
    [InlineData(GuestMode.Long, "67E210", 0x1_0000_0000, 0xFFFF_FFFF, true)]
    [InlineData(GuestMode.Protected32, "67E210", 0x5555_0001, 0x5555_0000, false)]
    [InlineData(GuestMode.Real, "E210", 0x5555_0000, 0x5555_FFFF, true)]
    [InlineData(GuestMode.Real, "67E210", 0x5555_0000, 0x5554_FFFF, true)]
    public void Loop_counts_in_the_address_size(GuestMode mode, string code, ulong before, ulong after, bool taken)
    {
        using var m = new Snippet(mode, code);
        m[Register.Rcx] = before;
        Assert.Null(m.Run());
        Assert.Equal(after, m[Register.Rcx]);
        Assert.Equal(Snippet.Origin + ((ulong)code.Length / 2) + (taken ? 16ul : 0), m.State->Rip);
    }

    [Theory]
    [InlineData(GuestMode.Long, "E310", 0x1_0000_0000, false)]
    [InlineData(GuestMode.Long, "67E310", 0x1_0000_0000, true)]
    [InlineData(GuestMode.Real, "E310", 0x1_0000, true)]
    [InlineData(GuestMode.Real, "67E310", 0x1_0000, false)]
    public void Jcxz_tests_the_count_of_the_address_size(GuestMode mode, string code, ulong count, bool taken)
    {
        using var m = new Snippet(mode, code);
        m[Register.Rcx] = count;
        Assert.Null(m.Run());
        Assert.Equal(Snippet.Origin + ((ulong)code.Length / 2) + (taken ? 16ul : 0), m.State->Rip);
    }

    [Theory]
    [InlineData(0x75, 0x74, Rflags.ZF)]
    [InlineData(0x73, 0x72, Rflags.CF)]
    [InlineData(0x7D, 0x7C, Rflags.SF)]
    [InlineData(0x7D, 0x7C, Rflags.OF)]
    [InlineData(0x7C, 0x7D, Rflags.OF | Rflags.SF)]
    [InlineData(0x7F, 0x7E, Rflags.ZF)]
    [InlineData(0x77, 0x76, Rflags.CF)]
    [InlineData(0x7B, 0x7A, Rflags.PF)]
    [InlineData(0x71, 0x70, Rflags.OF)]
    [InlineData(0x79, 0x78, Rflags.SF)]
    public void Conditions_come_in_opposite_pairs(int notTaken, int taken, ulong flags)
    {
        foreach (int opcode in new[] { notTaken, taken })
        {
            using var m = new Snippet(GuestMode.Long, $"{opcode:X2}10");
            m.Flags = Rflags.Fixed | flags;
            Assert.Null(m.Run());
            Assert.Equal(Snippet.Origin + (opcode == taken ? 18ul : 2), m.State->Rip);
        }
    }
}
