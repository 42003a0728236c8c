using Akvam.Cpu;
using Akvam.Cpu.State;
using static Akvam.Isa.Tests.Paging.PagedGuest;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Translations of pages without RAM are kept as long as others, and no longer.</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class MmioTests
{
    private const ulong One = 0x1000_0000, Two = 0x2000_0000;

    /// <summary>The physical address of a read at <paramref name="linear"/> that user space is asked for; null: a page fault.</summary>
    private static ulong? Read(PagedGuest g, ulong linear) => Access(g, linear, "8A07");

    private static ulong? Write(PagedGuest g, ulong linear) => Access(g, linear, "8807");

    private static ulong? Access(PagedGuest g, ulong linear, string code)
    {
        Convert.FromHexString(code).CopyTo(g.M.Memory[(int)Kernel..]);
        g.S->Rip = g.S->Cpl == 3 ? g.UserCode : Kernel;
        g.S->Gpr[Register.Rdi] = linear;
        RunResult result = g.M.Processor.Run(1);
        PendingAccess pending = g.M.Processor.Pending;
        if (result == RunResult.Debug)
        {
            Assert.Equal(Vector.PF, g.S->Fault.Vector);
            return null;
        }

        pending.MoveNext();
        Assert.NotEqual(PendingKind.None, pending.Kind);
        ulong address = pending.Address;
        pending.Clear();
        return address;
    }

    [Theory]
    [InlineData(1, 0x10, 0xFF0)]
    [InlineData(2, 0x10, 0x1F_F000)]
    public void Invlpg_forgets_them(int level, ulong used, ulong flushed)
    {
        using var g = new PagedGuest();
        ulong* e = g.Map(Region, One, P | W | U, level);
        Assert.Equal(One + used, Read(g, Region + used));
        Assert.Equal(One + used, Write(g, Region + used));
        Assert.Equal(One + used + 1, Read(g, Region + used + 1));
        *e = Two | P | W | U | (level > 1 ? PS : 0);
        g.S->Gpr[Register.Rdi] = Region + flushed;
        Assert.Null(g.Execute("0F013F"));
        Assert.Equal(Two + used, Read(g, Region + used));
        *e = 0;
        g.Flush();
        Assert.Null(Read(g, Region + used));
        Assert.Null(Write(g, Region + used));
    }

    [Fact]
    public void Rights_are_those_of_the_page()
    {
        using var g = new PagedGuest();
        g.S->Cr0 |= Cr0.WP;
        ControlRegisters.Reloaded(g.S);
        ulong* e = g.Map(Region, One, P);
        Assert.Equal(One, Read(g, Region));
        Assert.Null(Write(g, Region));
        g.SetUser(true);
        Assert.Null(Read(g, Region));
        g.SetUser(false);
        *e = One | P | W;
        g.Flush();
        Assert.Equal(One, Read(g, Region));
        Assert.Equal(One, Write(g, Region));
        Assert.Equal(D | A, *e & (D | A));
    }

    [Fact]
    public void Memory_that_is_put_there_takes_their_place()
    {
        using var g = new PagedGuest();
        g.Map(Region, One);
        Assert.Equal(One, Read(g, Region));
        byte[] page = GC.AllocateArray<byte>(8192, pinned: true);
        fixed (byte* p = page)
        {
            byte* aligned = (byte*)(((ulong)p + 4095) & ~4095ul);
            *aligned = 7;
            g.M.Processor.Group.Memory.SetSlot(0, 1, One, 4096, aligned, readOnly: false, logDirty: false);
            Assert.Equal(7, g.Peek(Region));
            g.M.Processor.Group.Memory.SetSlot(0, 1, One, 0, null, readOnly: false, logDirty: false);
        }

        Assert.Equal(One, Read(g, Region));
    }
}
