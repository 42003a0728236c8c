using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>Ways to name memory that the oracle's generator does not make, LOCK, and CMPXCHG8B/16B.</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class AddressTests
{
    [Theory]
    [InlineData(GuestMode.Real, "A10050")]
    [InlineData(GuestMode.Real, "67A100500000")]
    [InlineData(GuestMode.Protected32, "A100500000")]
    [InlineData(GuestMode.Protected32, "67A10050")]
    [InlineData(GuestMode.Long, "A10050000000000000")]
    [InlineData(GuestMode.Long, "67A100500000")]
    [InlineData(GuestMode.Long, "8B042500500000")]
    [InlineData(GuestMode.Long, "678B042500500000")]
    [InlineData(GuestMode.Long, "8B05FA8FFFFF")]
    [InlineData(GuestMode.Real, "8B060050")]
    [InlineData(GuestMode.Protected32, "8B0500500000")]
    public void Absolute_and_relative_addresses(GuestMode mode, string code)
    {
        using var m = new Snippet(mode, code);
        *(uint*)(m.Ram + 0x5000) = 0x1234_5678;
        Assert.Null(m.Run());
        Assert.Equal(mode == GuestMode.Real ? 0x5678ul : 0x1234_5678, m[Register.Rax]);
    }

    [Fact]
    public void Moffs_and_absolute_addresses_take_segment_overrides()
    {
        using var m = new Snippet(GuestMode.Long, "65488B042528000000" + "6548A12800000000000000");
        m.State->Gs.Base = 0x5000;
        *(ulong*)(m.Ram + 0x5028) = 0x1122_3344_5566_7788;
        Assert.Null(m.Run());
        Assert.Equal(0x1122_3344_5566_7788ul, m[Register.Rax]);
        m[Register.Rax] = 0;
        Assert.Null(m.Run());
        Assert.Equal(0x1122_3344_5566_7788ul, m[Register.Rax]);
    }

    [Fact]
    public void A_bit_offset_reaches_below_the_operand_and_lock_does_not_change_that()
    {
        // bts [rbx], rax ; lock btr [rbx], rcx
        using var m = new Snippet(GuestMode.Long, "480FAB03" + "F0480FB30B");
        m[Register.Rbx] = 0x10_0000;
        m[Register.Rax] = unchecked((ulong)-1);
        m[Register.Rcx] = 64 + 3;
        *(ulong*)(m.Ram + 0x10_0008) = 0xFF;
        Assert.Null(m.Run(2));
        Assert.Equal(1ul << 63, *(ulong*)(m.Ram + 0xF_FFF8));
        Assert.Equal(0xF7ul, *(ulong*)(m.Ram + 0x10_0008));
        Assert.NotEqual(0ul, m.Flags & Rflags.CF);
    }

    [Theory]
    [InlineData("0FC70B")]
    [InlineData("F00FC70B")]
    public void Cmpxchg8b_stores_when_equal_and_loads_when_not(string code)
    {
        using var m = new Snippet(GuestMode.Long, code + code);
        m[Register.Rbx] = 0x5000;
        m[Register.Rcx] = 0xFFFF_FFFF_0000_0009;
        m[Register.Rax] = 0xFFFF_FFFF_1111_1111;
        m[Register.Rdx] = 0xFFFF_FFFF_2222_2222;
        *(ulong*)(m.Ram + 0x5000) = 0x2222_2222_1111_1111;
        Assert.Null(m.Run());
        Assert.Equal(0x0000_0009_0000_5000ul, *(ulong*)(m.Ram + 0x5000));
        Assert.NotEqual(0ul, m.Flags & Rflags.ZF);
        Assert.Equal(0xFFFF_FFFF_1111_1111ul, m[Register.Rax]);
        Assert.Null(m.Run());
        Assert.Equal(0ul, m.Flags & Rflags.ZF);
        Assert.Equal((0x5000ul, 9ul), (m[Register.Rax], m[Register.Rdx]));
    }

    [Theory]
    [InlineData("480FC70F")]
    [InlineData("F0480FC70F")]
    public void Cmpxchg16b_wants_alignment(string code)
    {
        using var m = new Snippet(GuestMode.Long, code + code + code);
        m[Register.Rdi] = 0x5000;
        m[Register.Rbx] = 7;
        m[Register.Rcx] = 8;
        m[Register.Rax] = *(ulong*)(m.Ram + 0x5000) = 1;
        m[Register.Rdx] = *(ulong*)(m.Ram + 0x5008) = 2;
        Assert.Null(m.Run());
        Assert.Equal((7ul, 8ul), (*(ulong*)(m.Ram + 0x5000), *(ulong*)(m.Ram + 0x5008)));
        Assert.NotEqual(0ul, m.Flags & Rflags.ZF);
        Assert.Null(m.Run());
        Assert.Equal((7ul, 8ul), (m[Register.Rax], m[Register.Rdx]));
        Assert.Equal(0ul, m.Flags & Rflags.ZF);
        m[Register.Rdi] = 0x5008;
        Assert.Equal(Vector.GP, m.Run());
    }

    [Theory]
    [InlineData(GuestMode.Long, "0F01FC", 0x5047)]
    [InlineData(GuestMode.Long, "670F01FC", 0x7_0000_5047)]
    [InlineData(GuestMode.Real, "0F01FC", 0x7_5047)]
    public void Clzero_zeroes_the_line_around_the_address(GuestMode mode, string code, ulong address)
    {
        using var m = new Snippet(mode, code);
        new Span<byte>(m.Ram + 0x5000, 256).Fill(0xFF);
        m[Register.Rax] = address;
        Assert.Null(m.Run());
        Assert.Equal(64, new Span<byte>(m.Ram + 0x5000, 256).Count((byte)0));
        Assert.Equal(0x40, new Span<byte>(m.Ram + 0x5000, 256).IndexOf((byte)0));
    }

    [Fact]
    public void Xlat_uses_the_address_size_and_the_override()
    {
        using var m = new Snippet(GuestMode.Real, "64D7");
        m.State->Fs.Base = 0x2_0000;
        m[Register.Rbx] = 0xFFF0;
        m[Register.Rax] = 0xAA20;
        m.Ram[0x2_0010] = 0x42;
        Assert.Null(m.Run());
        Assert.Equal(0xAA42ul, m[Register.Rax]);
    }

    [Theory]
    [InlineData("F30F1EFA")]
    [InlineData("F3480F1EC8")]
    [InlineData("0F1C00")]
    [InlineData("0F0D08")]
    [InlineData("0F1A00")]
    [InlineData("660F1F840000000000")]
    public void The_nop_space_does_nothing_and_reads_no_memory(string code)
    {
        using var m = new Snippet(GuestMode.Long, code);
        m[Register.Rax] = 0x1234_0000_0000_0000;
        Assert.Null(m.Run());
        Assert.Equal(0x1234_0000_0000_0000ul, m[Register.Rax]);
        Assert.Equal(Snippet.Origin + ((ulong)code.Length / 2), m.State->Rip);
    }
}
