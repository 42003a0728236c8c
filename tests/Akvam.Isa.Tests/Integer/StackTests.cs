using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>Stack instructions where the host cannot be asked: 16- and 32-bit stacks, wraps, faults. [SDM2 PUSHA, POPA, ENTER] [APM2 4.7.3]</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class StackTests
{
    [Fact]
    public void Pusha_stores_the_old_stack_pointer_and_popa_skips_it()
    {
        using var m = new Snippet(GuestMode.Real, "60" + "61");
        for (int n = 0; n < 8; n++)
        {
            m[n] = 0xAAAA_1100u + (uint)n;
        }

        m[Register.Rsp] = 0xAAAA_7000;
        Assert.Null(m.Run());
        Assert.Equal(0xAAAA_6FF0ul, m[Register.Rsp]);
        Assert.Equal([0x1107, 0x1106, 0x1105, 0x7000, 0x1103, 0x1102, 0x1101, 0x1100], new Span<ushort>(m.Ram + 0x6FF0, 8).ToArray());
        *(ushort*)(m.Ram + 0x6FF6) = 0xDEAD;
        m[Register.Rdi] = m[Register.Rax] = 0xBBBB_BBBB;
        Assert.Null(m.Run());
        Assert.Equal(0xAAAA_7000ul, m[Register.Rsp]);
        Assert.Equal(0xBBBB_1107ul, m[Register.Rdi]);
        Assert.Equal(0xBBBB_1100ul, m[Register.Rax]);
    }

    [Fact]
    public void Pusha_wraps_between_words_but_not_within_one()
    {
        using var even = new Snippet(GuestMode.Real, "60");
        even[Register.Rsp] = 4;
        even[Register.Rax] = 0x1234;
        even[Register.Rdi] = 0x5678;
        Assert.Null(even.Run());
        Assert.Equal(0xFFF4ul, even[Register.Rsp]);
        Assert.Equal(0x1234, *(ushort*)(even.Ram + 2));
        Assert.Equal(0x5678, *(ushort*)(even.Ram + 0xFFF4));

        using var odd = new Snippet(GuestMode.Real, "60");
        odd[Register.Rsp] = 7;
        *(ulong*)odd.Ram = 0x1111_2222_3333_4444;
        Assert.Equal(Vector.SS, odd.Run());
        Assert.Equal(7ul, odd[Register.Rsp]);
        Assert.Equal(0x1111_2222_3333_4444ul, *(ulong*)odd.Ram);
    }

    [Fact]
    public void Push_beyond_the_limit_of_an_expand_down_stack_is_a_stack_fault()
    {
        using var m = new Snippet(GuestMode.Protected32, "5058");
        m.State->Ss.Attributes = 0xC097;
        m.State->Ss.Limit = 0x6FFF;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m[Register.Rsp] = 0x7008;
        Assert.Null(m.Run(2));
        m.State->Rip = Snippet.Origin;
        m[Register.Rsp] = 0x7003;
        Assert.Equal(Vector.SS, m.Run());
        Assert.Equal(0x7003ul, m[Register.Rsp]);
    }

    [Fact]
    public void Non_canonical_stack_addresses_are_stack_faults()
    {
        using var m = new Snippet(GuestMode.Long, "50");
        m[Register.Rsp] = 0x8000_0000_0000_0008;
        Assert.Equal(Vector.SS, m.Run());
        Assert.Equal(0x8000_0000_0000_0008ul, m[Register.Rsp]);
    }

    [Fact]
    public void Enter_copies_the_frame_links_of_outer_levels_and_leave_undoes_it()
    {
        // enter 8, 2 ; leave, on a 16-bit stack with 32-bit operands
        using var m = new Snippet(GuestMode.Real, "66C8080002" + "66C9");
        m[Register.Rsp] = 0x5555_7000;
        m[Register.Rbp] = 0x1111_6800;
        *(uint*)(m.Ram + 0x67FC) = 0xCAFE_F00D;
        Assert.Null(m.Run());
        Assert.Equal([0x6FFCu, 0xCAFE_F00D, 0x1111_6800], new Span<uint>(m.Ram + 0x6FF4, 3).ToArray());
        Assert.Equal(0x5555_6FECul, m[Register.Rsp]);
        Assert.Equal(0x6FFCul, m[Register.Rbp]);
        Assert.Null(m.Run());
        Assert.Equal(0x5555_7000ul, m[Register.Rsp]);
        Assert.Equal(0x1111_6800ul, m[Register.Rbp]);
    }

    [Fact]
    public void Pop_to_memory_that_faults_leaves_the_stack_pointer()
    {
        using var m = new Snippet(GuestMode.Long, "8F00");
        ulong sp = m[Register.Rsp];
        m[Register.Rax] = 0x1234_0000_0000_0000;
        Assert.Equal(Vector.GP, m.Run());
        Assert.Equal(sp, m[Register.Rsp]);
    }

    [Theory]
    [InlineData(9, null)]
    [InlineData(10, null)]
    [InlineData(-5, null)]
    [InlineData(-6, Vector.BR)]
    [InlineData(11, Vector.BR)]
    public void Bound_takes_both_ends_as_signed_and_inside(int index, Vector? expected)
    {
        using var m = new Snippet(GuestMode.Protected32, "6203");
        m[Register.Rax] = (uint)index;
        m[Register.Rbx] = 0x5000;
        *(int*)(m.Ram + 0x5000) = -5;
        *(int*)(m.Ram + 0x5004) = 10;
        Assert.Equal(expected, m.Run());
    }
}
