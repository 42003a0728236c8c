using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;
using IsaTable = Akvam.Cpu.Semantics.Isa;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Integer;

/// <summary>REP that faults, is interrupted, wraps, or has nothing to do. [APM3 1.2.6]</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class StringFaultTests
{
    [Theory]
    [InlineData("F3AA", 1)]
    [InlineData("F348AB", 8)]
    [InlineData("F3A4", 1)]
    [InlineData("F3A5", 4)]
    public void Iterations_before_a_page_fault_stay_done(string code, int size)
    {
        using var m = new Snippet(GuestMode.Long, code);
        ((ulong*)(m.Ram + ModeSetup.Tables + 0x2000))[1] = 0;
        m[Register.Rdi] = 0x20_0000 - (ulong)(3 * size);
        m[Register.Rsi] = 0x5000;
        m[Register.Rax] = ulong.MaxValue;
        new Span<byte>(m.Ram + 0x5000, 100).Fill(0xFF);
        m[Register.Rcx] = 10;
        Assert.Equal(Vector.PF, m.Run());
        Assert.Equal(7ul, m[Register.Rcx]);
        Assert.Equal(0x20_0000ul, m[Register.Rdi]);
        Assert.Equal(0x20_0000ul, m.State->Cr2 == 0 ? m.State->Fault.Payload : m.State->Cr2);
        Assert.Equal(-1, new Span<byte>(m.Ram + 0x20_0000 - (3 * size), 3 * size).IndexOfAnyExcept((byte)0xFF));
        Assert.Equal(Snippet.Origin, m.State->Rip);
    }

    [Fact]
    public void A_request_stops_between_iterations_and_the_rest_follows()
    {
        using var m = new Snippet(GuestMode.Long, "F3A4");
        m.Flags = Rflags.Fixed | Rflags.DF;
        m[Register.Rsi] = 0x5003;
        m[Register.Rdi] = 0x6003;
        m[Register.Rcx] = 4;
        *(uint*)(m.Ram + 0x5000) = 0x4433_2211;
        Insn i = default;
        i.Flags = InsnFlags.Rep;
        i.Segment = Segment.Ds;
        m.State->Requests = (int)Request.Evaluate;
        Assert.Equal(Flow.Abort, IsaTable.Row(Code.Movsb_m8_m8).Register(m.State, &i));
        Assert.Equal(AbortReason.Interrupted, m.State->Abort);
        Assert.Equal((3ul, 0x5002ul, 0x6002ul), (m[Register.Rcx], m[Register.Rsi], m[Register.Rdi]));
        Assert.Null(m.Run());
        Assert.Equal((0ul, 0x4433_2211u), (m[Register.Rcx], *(uint*)(m.Ram + 0x6000)));
    }

    [Fact]
    public void A_count_of_zero_changes_nothing()
    {
        using var m = new Snippet(GuestMode.Long, "67F3A4");
        m[Register.Rcx] = 0x1_0000_0000;
        m[Register.Rsi] = m[Register.Rdi] = 0x7_0000_5000;
        Assert.Null(m.Run());
        Assert.Equal((0x1_0000_0000ul, 0x7_0000_5000ul, 0x7_0000_5000ul), (m[Register.Rcx], m[Register.Rsi], m[Register.Rdi]));
    }

    [Fact]
    public void Sixteen_bit_offsets_wrap_in_the_middle()
    {
        using var m = new Snippet(GuestMode.Real, "F3AA");
        m[Register.Rax] = 0x77;
        m[Register.Rdi] = 0x1234_FFFE;
        m[Register.Rcx] = 0x5678_0004;
        m.State->Es.Base = 0x2_0008;
        Assert.Null(m.Run());
        Assert.Equal(0x1234_0002ul, m[Register.Rdi]);
        Assert.Equal(0x5678_0000ul, m[Register.Rcx]);
        Assert.Equal([0x77, 0x77, 0], new Span<byte>(m.Ram + 0x3_0006, 3).ToArray());
        Assert.Equal([0, 0x77, 0x77, 0], new Span<byte>(m.Ram + 0x2_0007, 4).ToArray());
    }

    [Fact]
    public void A_segment_limit_ends_a_page_wise_copy_where_it_lies()
    {
        using var m = new Snippet(GuestMode.Protected32, "F3AA");
        m.State->Es.Limit = 0x5004;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m[Register.Rax] = 0x77;
        m[Register.Rdi] = 0x5000;
        m[Register.Rcx] = 10;
        Assert.Equal(Vector.GP, m.Run());
        Assert.Equal((5ul, 0x5005ul), (m[Register.Rcx], m[Register.Rdi]));
    }

    [Fact]
    public void Segment_overrides_apply_to_the_source_only()
    {
        using var m = new Snippet(GuestMode.Real, "64A4");
        m.State->Fs.Base = 0x2_0000;
        m.Ram[0x2_5000] = 0x42;
        m[Register.Rsi] = 0x5000;
        m[Register.Rdi] = 0x6000;
        Assert.Null(m.Run());
        Assert.Equal(0x42, m.Ram[0x6000]);
    }
}
