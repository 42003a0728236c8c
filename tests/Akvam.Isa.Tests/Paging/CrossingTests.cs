using Akvam.Cpu.State;
using static Akvam.Isa.Tests.Paging.PagedGuest;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Accesses and instructions that lie in two pages: all or nothing, and CR2 is the address in the page that is missing. [SDM3 6.15]</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class CrossingTests
{
    private const ulong One = 0x50_0000, Two = 0x60_0000;

    [Theory]
    [InlineData("488B07", 8, false)]
    [InlineData("488907", 8, true)]
    [InlineData("8907", 4, true)]
    [InlineData("668907", 2, true)]
    [InlineData("480107", 8, true)]
    [InlineData("F0480107", 8, true)]
    [InlineData("488707", 8, true)]
    [InlineData("F0480FC107", 8, true)]
    [InlineData("0F1107", 16, true)]
    [InlineData("0F1007", 16, false)]
    [InlineData("48C707FFFFFFFF", 8, true)]
    [InlineData("48FF07", 8, true)]
    public void A_fault_in_the_second_page_changes_nothing(string code, int size, bool writes)
    {
        using var g = new PagedGuest();
        ulong* first = g.Map(Region, One), second = g.Map(Region + 0x1000, 0, 0);
        for (int inFirst = 1; inFirst < size; inFirst++)
        {
            new Span<byte>(g.M.Ram + One + 0xF00, 0x100).Fill(0x11);
            new Span<byte>(g.M.Ram + Two, 0x100).Fill(0x22);
            *second = 0;
            g.Flush();
            ulong linear = Region + 0x1000 - (ulong)inFirst;
            g.S->Gpr[Register.Rdi] = linear;
            g.S->Gpr[Register.Rax] = 0x8877_6655_4433_2211;
            Assert.Equal(Vector.PF, g.Execute(code));
            Assert.Equal((Region + 0x1000, writes ? 2u : 0), (g.S->Fault.Payload, g.S->Fault.ErrorCode));
            Assert.Equal(-1, new Span<byte>(g.M.Ram + One + 0xF00, 0x100).IndexOfAnyExcept((byte)0x11));
            Assert.Equal((0x8877_6655_4433_2211ul, linear), (g.S->Gpr[Register.Rax], g.S->Gpr[Register.Rdi]));

            // Read-only: the page is there, and the fault is for the write alone.
            *second = Two | P | U;
            g.S->Cr0 |= Cr0.WP;
            ControlRegisters.Reloaded(g.S);
            Assert.Equal(writes ? Vector.PF : null, g.Execute(code));
            Assert.Equal(-1, new Span<byte>(g.M.Ram + One + 0xF00, 0x100).IndexOfAnyExcept((byte)0x11));
            Assert.Equal(-1, new Span<byte>(g.M.Ram + Two, 0x100).IndexOfAnyExcept((byte)0x22));
            Assert.True(!writes || (g.S->Fault.Payload == Region + 0x1000 && g.S->Fault.ErrorCode == 3));

            // The first page is reported before the second.
            *first = 0;
            *second = 0;
            g.Flush();
            Assert.Equal(Vector.PF, g.Execute(code));
            Assert.Equal(linear, g.S->Fault.Payload);
            *first = One | P | W | U;
        }
    }

    [Fact]
    public void A_read_modify_write_over_two_pages_that_are_not_neighbours_works()
    {
        using var g = new PagedGuest();
        g.Map(Region, One);
        g.Map(Region + 0x1000, Two);
        g.S->Gpr[Register.Rdi] = Region + 0xFFD;
        *(uint*)(g.M.Ram + One + 0xFFC) = 0x0403_0201 << 8;
        *(uint*)(g.M.Ram + Two) = 0x0000_0004;
        g.S->Gpr[Register.Rax] = 0x0100_0001;
        Assert.Null(g.Execute("F00107"));
        Assert.Equal([0x00, 0x02, 0x02, 0x03], new Span<byte>(g.M.Ram + One + 0xFFC, 4).ToArray());
        Assert.Equal(0x05u, *(uint*)(g.M.Ram + Two));
        Assert.Equal(A | D, *g.Entry(Region, 1) & *g.Entry(Region + 0x1000, 1) & (A | D));
    }

    [Theory]
    [InlineData("B844332211", 5)]
    [InlineData("48B88877665544332211", 10)]
    [InlineData("C70504000000AABBCCDD", 10)]
    public void Fetch_faults_report_the_page_that_is_missing(string code, int length)
    {
        using var g = new PagedGuest();
        g.Map(Region, One);
        ulong* second = g.Map(Region + 0x1000, 0, 0);
        byte[] bytes = Convert.FromHexString(code);
        for (int inFirst = 1; inFirst <= length; inFirst++)
        {
            ulong rip = Region + 0x1000 - (ulong)inFirst;
            bytes.AsSpan(0, inFirst).CopyTo(g.M.Memory[(int)(One + 0x1000 - (ulong)inFirst)..]);
            bytes.AsSpan(inFirst).CopyTo(g.M.Memory[(int)Two..]);
            *second = 0;
            g.Flush();
            g.S->Gpr[Register.Rax] = 0;
            Vector? got = g.Fetch(rip);
            bool stores = bytes[0] == 0xC7;
            if (inFirst == length && !stores)
            {
                Assert.Null(got);
                continue;
            }

            Assert.Equal(Vector.PF, got);
            Assert.Equal(rip, g.S->Rip);
            Assert.True(inFirst == length || g.S->Fault.Payload == Region + 0x1000, $"{inFirst}: {g.S->Fault.Payload:x}");
            *second = Two | P | W | U;
            Assert.Null(g.Fetch(rip));
            Assert.Equal(rip + (ulong)length, g.S->Rip);
            Assert.True(stores || (uint)g.S->Gpr[Register.Rax] is 0x1122_3344 or 0x5566_7788);
        }
    }

    [Fact]
    public void Instructions_before_the_crossing_one_are_executed_first()
    {
        using var g = new PagedGuest();
        g.Map(Region, One);
        Convert.FromHexString("FFC0FFC0B811").CopyTo(g.M.Memory[(int)(One + 0xFFA)..]);
        g.S->Gpr[Register.Rax] = 0;
        g.S->Rip = Region + 0xFFA;
        Assert.Equal(Akvam.Cpu.RunResult.Debug, g.M.Processor.Run());
        Assert.Equal((2ul, Region + 0xFFE, Region + 0x1000), (g.S->Gpr[Register.Rax], g.S->Rip, g.S->Fault.Payload));
    }

    [Fact]
    public void Fifteen_bytes_are_the_longest_instruction()
    {
        // [APM3 1.1] [SDM2 2.3.11]: more raises #GP, wherever the page ends, and no byte after the fifteenth is fetched.
        using var g = new PagedGuest();
        g.Map(Region, One);
        for (int prefixes = 12; prefixes <= 16; prefixes++)
        {
            ulong at = One + 0x1000 - (ulong)Math.Min(15, prefixes + 2);
            g.M.Memory.Slice((int)One, 0x1000).Fill(0x66);
            if (prefixes + 2 <= 15)
            {
                Convert.FromHexString("8BC1").CopyTo(g.M.Memory[(int)(One + 0xFFE)..]);
            }

            g.Flush();
            Assert.Equal(prefixes + 2 <= 15 ? null : Vector.GP, g.Fetch(Region + at - One));
            Assert.Equal(0u, g.S->Fault.ErrorCode);
        }

        // The same over a boundary, with both pages there.
        g.Map(Region + 0x1000, Two);
        for (int inFirst = 1; inFirst < 15; inFirst++)
        {
            g.M.Memory.Slice((int)One, 0x1000).Fill(0x66);
            g.M.Memory.Slice((int)Two, 15 - inFirst - 2 < 0 ? 1 : 15 - inFirst - 1).Fill(0x66);
            g.M.Memory[(int)Two + 15 - inFirst - 1] = 0x90;
            Assert.Null(g.Fetch(Region + 0x1000 - (ulong)inFirst));
            g.M.Memory[(int)Two + 15 - inFirst - 1] = 0x66;
            g.M.Memory[(int)Two + 15 - inFirst] = 0x90;
            Assert.Equal(Vector.GP, g.Fetch(Region + 0x1000 - (ulong)inFirst));
        }
    }

    [Fact]
    public void The_cs_limit_cuts_instructions_off()
    {
        using var m = new TestMachine();
        m.Processor.InterceptedExceptions = uint.MaxValue;
        ulong before = 0;
        for (uint limit = 0xC000; limit < 0xC00A; limit++)
        {
            ModeSetup.Enter(m, GuestMode.Protected32, 0xC000);
            Convert.FromHexString("40B84433221140").CopyTo(m.Memory[0xC000..]);
            m.State->Cs.Limit = limit;
            Akvam.Cpu.Processor.UpdateMode(m.State);
            int expected = limit < 0xC005 ? 1 : limit < 0xC006 ? 2 : 3;
            Assert.Equal(expected == 3 ? Akvam.Cpu.RunResult.Limit : Akvam.Cpu.RunResult.Debug, m.Processor.Run(3));
            Assert.Equal((ulong)expected, m.State->Retired - before);
            Assert.True(expected == 3 || m.State->Fault.Vector == Vector.GP);
            before = m.State->Retired;
        }
    }

    [Fact]
    public void The_cs_limit_cuts_off_an_instruction_in_its_second_page()
    {
        using var m = new TestMachine();
        m.Processor.InterceptedExceptions = uint.MaxValue;
        ModeSetup.Enter(m, GuestMode.Protected32, 0xCFFE);
        Convert.FromHexString("B844332211").CopyTo(m.Memory[0xCFFE..]);
        foreach ((uint limit, bool good) in new[] { (0xD002u, true), (0xD001u, false), (0xD000u, false), (0xCFFFu, false), (0xCFFEu, false), (0xD002u, true) })
        {
            m.State->Rip = 0xCFFE;
            m.State->Cs.Limit = limit;
            Akvam.Cpu.Processor.UpdateMode(m.State);
            Assert.Equal(good ? Akvam.Cpu.RunResult.Limit : Akvam.Cpu.RunResult.Debug, m.Processor.Run(1));
            Assert.True(good || (m.State->Fault.Vector == Vector.GP && m.State->Rip == 0xCFFE));
        }
    }
}
