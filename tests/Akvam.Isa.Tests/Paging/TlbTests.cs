using Akvam.Cpu;
using Akvam.Cpu.State;
using static Akvam.Isa.Tests.Paging.PagedGuest;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Paging;

/// <summary>What has to be forgotten when: INVLPG, INVPCID, CR3, CR4, contexts. [SDM3 4.10.4]</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class TlbTests
{
    private const ulong One = 0x40_0000, Two = 0x80_0000;
    private const string Invlpg = "0F013F", MovCr3 = "0F22D8", MovCr4 = "0F22E0", Invpcid = "660F388206";

    [Theory]
    [InlineData(1, 0x000, 0x800)]
    [InlineData(2, 0x000, 0x1F_F000)]
    [InlineData(2, 0x1F_F000, 0x000)]
    [InlineData(3, 0x41_0000, 0x3FFF_F000)]
    public void Invlpg_forgets_the_whole_page_from_any_of_its_addresses(int level, ulong used, ulong flushed)
    {
        foreach (ulong global in new ulong[] { 0, G })
        {
            using var g = new PagedGuest();
            g.SetCr4(Cr4.PGE);
            ulong* e = g.Map(Region, level == 3 ? 0 : One, P | W | U | global, level);
            ulong at = level == 3 ? 0 : One;
            g.M.Ram[at + used] = 1;
            g.M.Ram[Two + used] = 2;
            Assert.Equal(1, g.Peek(Region + used));
            Assert.Null(g.Write(Region + used));
            *e = 0;
            g.S->Gpr[Register.Rdi] = Region + flushed;
            Assert.Null(g.Execute(Invlpg));
            Assert.Equal(Vector.PF, g.Read(Region + used));
            Assert.Equal(Vector.PF, g.Write(Region + used));
            if (level < 3)
            {
                *e = Two | P | W | U | (level > 1 ? PS : 0);
                Assert.Equal(2, g.Peek(Region + used));
            }
        }
    }

    [Theory]
    [InlineData(0x10_0000, 0x20_0000)]
    [InlineData(0x20_0000, 0x10_0000)]
    [InlineData(0x3F_F000, 0)]
    public void Invlpg_forgets_both_halves_of_a_4_mib_page(ulong used, ulong flushed)
    {
        using var g = new PagedGuest(GuestMode.Protected32Paged);
        uint* pde = g.Pde32(Region);
        *pde = (uint)One | 0x87;
        g.M.Ram[One + used] = 1;
        g.M.Ram[Two + used] = 2;
        Assert.Equal(1, g.Peek(Region + used));
        *pde = (uint)Two | 0x87;
        g.S->Gpr[Register.Rdi] = Region + flushed;
        Assert.Null(g.Execute(Invlpg));
        Assert.Equal(2, g.Peek(Region + used));
    }

    [Fact]
    public void Invlpg_forgets_what_code_was_fetched_from()
    {
        using var g = new PagedGuest();
        g.S->Efer |= Efer.NXE;
        ulong* e = g.Map(Region, One);
        g.M.Ram[One] = g.M.Ram[Two] = 0x90;
        Assert.Null(g.Fetch(Region));
        *e |= NX;
        g.S->Gpr[Register.Rdi] = Region;
        Assert.Null(g.Execute(Invlpg));
        Assert.Equal(Vector.PF, g.Fetch(Region));
        *e = Two | 7;
        g.M.Ram[Two] = 0xF4;
        Assert.Null(g.Fetch(Region));
        Assert.Equal(Activity.Halted, g.S->Activity);
    }

    [Fact]
    public void Invlpg_of_code_counts_within_one_run()
    {
        // call f (page A: eax += 1); remap; invlpg; call f (page B: eax += 16)
        using var g = new PagedGuest();
        ulong* e = g.Map(Region, One);
        Convert.FromHexString("83C001C3").CopyTo(g.M.Memory[(int)One..]);
        Convert.FromHexString("83C010C3").CopyTo(g.M.Memory[(int)Two..]);
        ulong entry = (ulong)((byte*)e - g.M.Ram);
        byte[] code = Assemble.Code64(Kernel, c =>
        {
            c.xor(eax, eax);
            c.mov(rdi, Region);
            c.call(rdi);
            c.call(rdi);
            c.mov(rbx, Two | 7);
            c.mov(rcx, entry);
            c.mov(__[rcx], rbx);
            c.invlpg(__[rdi]);
            c.call(rdi);
            c.hlt();
        });
        code.CopyTo(g.M.Memory[(int)Kernel..]);
        g.M.Memory[0x20_0000] = 0;
        *g.Entry(entry, 2) = 0x83;
        g.Flush();

        // The tables lie within the kernel's page.
        Assert.True(entry < 0x20_0000);
        g.S->Rip = Kernel;
        Assert.Equal(RunResult.Halted, g.M.Processor.Run(100));
        Assert.Equal(18ul, g.S->Gpr[Register.Rax]);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void Invpcid_forgets_what_its_type_says(ulong type, bool forgets)
    {
        using var g = new PagedGuest();
        g.SetCr4(Cr4.PCIDE);
        ulong* e = g.Map(Region, One);
        g.M.Ram[One] = 1;
        g.M.Ram[Two] = 2;
        Assert.Equal(1, g.Peek(Region));
        *e = Two | 7;
        *(ulong*)(g.M.Ram + 0x5000) = 0;
        *(ulong*)(g.M.Ram + 0x5008) = Region;
        g.S->Gpr[Register.Rsi] = 0x5000;
        g.S->Gpr[Register.Rax] = type;
        Assert.Null(g.Execute(Invpcid));
        Assert.Equal(forgets, g.Peek(Region) == 2);
    }

    [Fact]
    public void Invpcid_reaches_another_pcid()
    {
        foreach (ulong type in new ulong[] { 0, 1, 2, 3 })
        {
            using var g = new PagedGuest();
            g.SetCr4(Cr4.PCIDE);
            ulong tables = g.S->Cr3;
            ulong* e = g.Map(Region, One);
            g.M.Ram[One] = 1;
            g.M.Ram[Two] = 2;
            SetCr3(g, tables | 7);
            Assert.Equal(1, g.Peek(Region));
            SetCr3(g, tables);
            *e = Two | 7;
            *(ulong*)(g.M.Ram + 0x5000) = 7;
            *(ulong*)(g.M.Ram + 0x5008) = Region;
            g.S->Gpr[Register.Rsi] = 0x5000;
            g.S->Gpr[Register.Rax] = type;
            Assert.Null(g.Execute(Invpcid));
            SetCr3(g, tables | 7 | (1ul << 63));
            Assert.Equal(2, g.Peek(Region));
        }
    }

    [Fact]
    public void Cr3_without_bit_63_forgets_its_pcid_and_with_it_may_keep_it()
    {
        using var g = new PagedGuest();
        g.SetCr4(Cr4.PCIDE);
        ulong tables = g.S->Cr3;
        ulong* e = g.Map(Region, One);
        g.M.Ram[One] = 1;
        g.M.Ram[Two] = 2;
        SetCr3(g, tables | 5);
        Assert.Equal(1, g.Peek(Region));
        *e = Two | 7;
        SetCr3(g, tables | 6);

        // Bit 63: what PCID 5 knew is still known. This is what the tag is for; were it lost, nothing would be wrong but time.
        SetCr3(g, tables | 5 | (1ul << 63));
        Assert.Equal(1, g.Peek(Region));
        Assert.Equal(tables | 5, g.S->Cr3);
        SetCr3(g, tables | 6);
        Assert.Equal(2, g.Peek(Region));
        SetCr3(g, tables | 5);
        Assert.Equal(2, g.Peek(Region));
    }

    [Theory]
    [InlineData(Cr4.PGE)]
    [InlineData(Cr4.SMEP)]
    [InlineData(Cr4.PSE)]
    public void Changes_of_cr4_forget_global_pages_too(ulong bit)
    {
        using var g = new PagedGuest();
        g.SetCr4(Cr4.PGE);
        ulong* e = g.Map(Region, One, P | W | G);
        g.M.Ram[One] = 1;
        g.M.Ram[Two] = 2;
        Assert.Equal(1, g.Peek(Region));
        *e = Two | 7;
        g.S->Gpr[Register.Rax] = g.S->Cr4 ^ bit;
        Assert.Null(g.Execute(MovCr4));
        Assert.Equal(2, g.Peek(Region));
    }

    [Fact]
    public void Cr0_wp_takes_effect_at_once()
    {
        using var g = new PagedGuest();
        g.Map(Region, One, P);
        Assert.Null(g.Write(Region));
        g.S->Gpr[Register.Rax] = g.S->Cr0 | Cr0.WP;
        Assert.Null(g.Execute("0F22C0"));
        Assert.Equal(Vector.PF, g.Write(Region));
        g.S->Gpr[Register.Rax] = g.S->Cr0 & ~Cr0.WP;
        Assert.Null(g.Execute("0F22C0"));
        Assert.Null(g.Write(Region));
    }

    [Fact]
    public void More_context_switches_than_contexts_never_mix_address_spaces()
    {
        using var g = new PagedGuest();
        ulong first = g.S->Cr3, second = g.NewTable();
        g.Map(Region, One);
        g.M.Ram[One] = 3;
        g.M.Ram[Two] = 5;
        new Span<byte>(g.M.Ram + first, 4096).CopyTo(new Span<byte>(g.M.Ram + second, 4096));
        ulong pdpt = g.NewTable();
        new Span<byte>(g.M.Ram + (*g.Entry(Region, 4) & ~0xFFFul), 4096).CopyTo(new Span<byte>(g.M.Ram + pdpt, 4096));
        *(ulong*)(g.M.Ram + second) = pdpt | 7;
        ((ulong*)(g.M.Ram + pdpt))[1] = 0;
        g.S->Cr3 = second;
        g.Map(Region, Two);
        g.S->Cr3 = first;
        g.Flush();
        byte[] code = Assemble.Code64(Kernel, c =>
        {
            Iced.Intel.Label loop = c.CreateLabel();
            c.mov(rdi, Region);
            c.mov(rbx, first);
            c.mov(rdx, second);
            c.xor(r8d, r8d);
            c.xor(r9d, r9d);
            c.mov(ecx, 2500);
            c.Label(ref loop);
            c.mov(cr3, rdx);
            c.movzx(eax, __byte_ptr[rdi]);
            c.add(r9, rax);
            c.mov(cr3, rbx);
            c.movzx(eax, __byte_ptr[rdi]);
            c.add(r8, rax);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });
        code.CopyTo(g.M.Memory[(int)Kernel..]);
        g.S->Rip = Kernel;
        Assert.Equal(RunResult.Halted, g.M.Processor.Run(100_000));
        Assert.Equal((2500ul * 3, 2500ul * 5), (g.S->Gpr[8], g.S->Gpr[9]));
    }

    [Fact]
    public void Pages_that_share_a_tlb_slot_do_not_disturb_each_other()
    {
        using var g = new PagedGuest();
        for (ulong n = 0; n < 8; n++)
        {
            g.Map(Region + (n << 22), One + (n << 12));
            g.M.Ram[One + (n << 12)] = (byte)(n + 1);
        }

        for (int turn = 0; turn < 3; turn++)
        {
            for (ulong n = 0; n < 8; n++)
            {
                Assert.Equal((int)n + 1, g.Peek(Region + (n << 22)));
            }
        }
    }

    private static void SetCr3(PagedGuest g, ulong value)
    {
        g.S->Gpr[Register.Rax] = value;
        Assert.Null(g.Execute(MovCr3));
    }
}
