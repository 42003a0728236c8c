using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;
using static Akvam.Isa.Tests.Paging.PagedGuest;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Walks of every paging mode: page sizes, reserved bits, accessed and dirty bits, canonical addresses. [SDM3 4.3] [SDM3 4.4] [SDM3 4.5]</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class WalkTests
{
    private const ulong Frame = 0x50_0000;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void Each_page_size_translates_in_long_mode(int level, bool la57)
    {
        using var g = new PagedGuest(la57: la57);
        ulong linear = la57 ? 0x00AB_1280_4000_0000 : 0xFFFF_9280_4000_0000;
        g.Map(linear, level == 3 ? 0ul : 0x40_0000, level: level);
        ulong offset = level == 1 ? 0x123ul : 0x12_3456;
        g.M.Ram[(level == 3 ? 0ul : 0x40_0000) + offset] = 0x5A;
        Assert.Equal(0x5A, g.Peek(linear + offset));
        for (int l = g.TopLevel; l > level; l--)
        {
            Assert.Equal(A, *g.Entry(linear, l) & (A | D));
        }

        Assert.Equal(A, *g.Entry(linear, level) & (A | D));
        Assert.Null(g.Write(linear + offset));
        Assert.Equal(A | D, *g.Entry(linear, level) & (A | D));
        Assert.Equal(A, *g.Entry(linear, level + 1) & (A | D));
    }

    [Fact]
    public void Reserved_bits_fault_at_the_level_they_are_in()
    {
        foreach (bool amd in new[] { false, true })
        {
            using var g = new PagedGuest();
            g.SetCpuid(40, amd);
            for (int leafLevel = 1; leafLevel <= 3; leafLevel++)
            {
                ulong linear = Region + ((ulong)leafLevel << 39);
                g.Map(linear, 0, level: leafLevel);
                for (int level = leafLevel; level <= 4; level++)
                {
                    ulong* entry = g.Entry(linear, level);
                    ulong good = *entry;
                    for (int bit = 7; bit < 64; bit++)
                    {
                        bool leaf = level == leafLevel;
                        bool reserved = bit is >= 40 and < 52 || bit == 63 || (bit == 7 && level == 4)
                            || (leaf && level > 1 && bit >= 13 && bit < 12 + (9 * (level - 1))) || (amd && bit == 8 && !leaf && level >= 3);
                        if (!reserved && (bit is 7 or (>= 12 and < 52)))
                        {
                            continue;
                        }

                        *entry = good | (1ul << bit);
                        g.Flush();
                        Vector? got = g.Read(linear);
                        Assert.True(got == (reserved ? Vector.PF : null), $"amd={amd} leaf {leafLevel}, level {level}, bit {bit}: {got}");
                        Assert.True(!reserved || (g.S->Fault.ErrorCode == 9 && g.S->Fault.Payload == linear), $"level {level} bit {bit}: {g.S->Fault.ErrorCode:x}");
                        *entry = good;
                    }
                }
            }
        }
    }

    [Fact]
    public void Not_present_hides_all_other_bits()
    {
        using var g = new PagedGuest();
        const ulong Other = Region + (1ul << 39);
        g.Map(Other, Frame);
        for (int level = 1; level <= 4; level++)
        {
            ulong* entry = g.Entry(Other, level);
            ulong good = *entry;
            *entry = ulong.MaxValue & ~P;
            g.Flush();
            Assert.Equal(Vector.PF, g.Write(Other));
            Assert.Equal(2u, g.S->Fault.ErrorCode);
            *entry = good;
        }
    }

    [Fact]
    public void Nx_is_reserved_while_efer_does_not_enable_it()
    {
        using var g = new PagedGuest();
        g.Map(Region, Frame, P | W | U | NX);
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Equal(9u, g.S->Fault.ErrorCode);
        g.S->Efer |= Efer.NXE;
        g.Flush();
        Assert.Null(g.Read(Region));
        Assert.Equal(Vector.PF, g.Fetch(Region));
        Assert.Equal(0x11u, g.S->Fault.ErrorCode);
    }

    [Fact]
    public void A_write_after_a_read_sets_the_dirty_bit()
    {
        using var g = new PagedGuest();
        ulong* e = g.Map(Region, Frame);
        Assert.Null(g.Read(Region));
        Assert.Equal(A, *e & (A | D));
        Assert.Null(g.Write(Region));
        Assert.Equal(A | D, *e & (A | D));

        // Cleared behind the TLB's back and flushed: set again. Not flushed: need not be.
        *e &= ~(A | D);
        g.S->Gpr[Register.Rdi] = Region;
        Assert.Null(g.Execute("0F013F"));
        Assert.Null(g.Read(Region));
        Assert.Equal(A, *e & (A | D));
        Assert.Null(g.Execute("8007FF"));
        Assert.Equal(A | D, *e & (A | D));
    }

    [Theory]
    [InlineData("F00FB10F", true)]
    [InlineData("3807", false)]
    [InlineData("F607FF", false)]
    [InlineData("FE07", true)]
    [InlineData("8607", true)]
    public void Read_modify_writes_are_writes(string code, bool writes)
    {
        // LOCK CMPXCHG (which writes even when it fails), CMP, TEST, INC, XCHG. [APM3 CMPXCHG]
        using var g = new PagedGuest();
        ulong* e = g.Map(Region, Frame, P | U);
        g.S->Cr0 |= Cr0.WP;
        ControlRegisters.Reloaded(g.S);
        g.S->Gpr[Register.Rdi] = Region;
        Assert.Equal(writes ? Vector.PF : null, g.Execute(code));
        Assert.Equal(writes ? 3u : 0, writes ? g.S->Fault.ErrorCode : 0);
        *e |= W;
        g.Flush();
        Assert.Null(g.Execute(code));
        Assert.Equal(writes ? A | D : A, *e & (A | D));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Non_canonical_addresses_raise_gp_or_ss(bool la57)
    {
        using var g = new PagedGuest(la57: la57);
        ulong first = la57 ? 0x0100_0000_0000_0000ul : 0x0000_8000_0000_0000;
        foreach (ulong linear in new ulong[] { first, 0 - first - 1, 0x7FFF_FFFF_FFFF_FFFF, 0xAAAA_0000_0000_0000 })
        {
            Assert.Equal(Vector.GP, g.Read(linear));
            Assert.Equal((0u, PagedGuest.Kernel), (g.S->Fault.ErrorCode, g.S->Rip));
            Assert.Equal(Vector.GP, g.Write(linear));
            Assert.Equal(Vector.GP, g.Fetch(linear));
            g.S->Gpr[Register.Rbp] = linear;
            Assert.Equal(Vector.SS, g.Execute("8A4500"));
            Assert.Equal(0u, g.S->Fault.ErrorCode);
            Assert.Equal(Vector.SS, g.Execute("884500"));
            Assert.Equal(Vector.SS, g.Execute("FE4500"));
            g.S->Gpr[Register.Rsp] = linear;
            Assert.Equal(Vector.SS, g.Execute("58"));
            Assert.Equal(Vector.SS, g.Execute("8A0424"));
            Assert.Equal(linear, g.S->Gpr[Register.Rsp]);
        }

        Assert.Equal(Vector.PF, g.Read(first - 1));
        Assert.Equal(Vector.PF, g.Read(0 - first));
    }

    [Fact]
    public void An_access_over_the_edge_of_canonical_space_is_a_gp_even_on_a_missing_page()
    {
        using var g = new PagedGuest();
        g.S->Gpr[Register.Rdi] = 0x7FFF_FFFF_FFFE;
        Assert.Equal(Vector.GP, g.Execute("8B07"));
        Assert.Equal(Vector.GP, g.Execute("8907"));
        Assert.Equal(Vector.GP, g.Execute("FF07"));
        g.S->Gpr[Register.Rbp] = 0x7FFF_FFFF_FFFE;
        Assert.Equal(Vector.SS, g.Execute("8B4500"));
        g.S->Gpr[Register.Rdi] = 0xFFFF_7FFF_FFFF_FFFE;
        Assert.Equal(Vector.GP, g.Execute("8B07"));
    }

    [Fact]
    public void Pdptes_are_those_that_were_there_when_cr3_was_loaded()
    {
        using var g = new PagedGuest(GuestMode.Pae);
        g.Map(Region, Frame);
        g.M.Ram[Frame] = 0x42;
        Assert.Equal(0x42, g.Peek(Region));
        ulong* pdpte = g.Entry(Region, 3);
        ulong good = *pdpte;
        *pdpte = 0;
        g.Flush();
        Assert.Equal(0x42, g.Peek(Region));
        g.S->Gpr[Register.Rax] = g.S->Cr3;
        Assert.Null(g.Execute("0F22D8"));
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Equal(0u, g.S->Fault.ErrorCode);

        // R/W, U/S, accessed… are reserved in a present PDPTE: the load fails and nothing changes. [SDM3 4.4.1]
        foreach (ulong bit in new ulong[] { 2, 4, 0x20, 0x40, 0x80, 0x100, 1ul << 63 })
        {
            *pdpte = good | bit;
            g.S->Gpr[Register.Rax] = g.S->Cr3;
            Assert.Equal(Vector.GP, g.Execute("0F22D8"));
            *pdpte = bit;
            g.S->Gpr[Register.Rax] = g.S->Cr3;
            Assert.Null(g.Execute("0F22D8"));
        }

        *pdpte = good;
        g.S->Gpr[Register.Rax] = g.S->Cr3;
        Assert.Equal(Vector.PF, g.Read(Region));
        g.S->Gpr[Register.Rax] = g.S->Cr3;
        Assert.Null(g.Execute("0F22D8"));
        Assert.Equal(0x42, g.Peek(Region));
        Assert.Equal(good, *pdpte);
    }

    [Fact]
    public void Pae_entries_reserve_the_high_bits()
    {
        using var g = new PagedGuest(GuestMode.Pae);
        g.S->Efer |= Efer.NXE;
        ulong* e = g.Map(Region, Frame);
        for (int bit = 52; bit < 63; bit++)
        {
            *e = Frame | 7 | (1ul << bit);
            g.Flush();
            Assert.Equal(Vector.PF, g.Read(Region));
            Assert.Equal(9u, g.S->Fault.ErrorCode);
        }
    }

    [Fact]
    public void Pse36_pages_reach_above_4_gib()
    {
        using var g = new PagedGuest(GuestMode.Protected32Paged);
        g.SetCpuid(36, true);
        g.M.Processor.Group.Memory.SetSlot(0, 5, 0x9_0040_0000, 0x40_0000, g.M.Ram + 0x40_0000, false, false);
        g.M.Ram[0x40_1234] = 0x77;
        uint* pde = g.Pde32(Region);
        *pde = 0x0040_0087 | (9 << 13);
        Assert.Equal(0x77, g.Peek(Region + 0x1234));
        Assert.Equal((uint)A, *pde & (uint)(A | D));
        *pde = 0x0040_0087 | (1 << 21);
        g.Flush();
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Equal(9u, g.S->Fault.ErrorCode);
        *pde = 0x0040_0087 | (0x10 << 13);
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Equal(9u, g.S->Fault.ErrorCode);

        // Without CR4.PSE bit 7 means nothing: the entry points to a table.
        *pde = (uint)g.NewTable() | 0x87;
        *((uint*)(g.M.Ram + (*pde & ~0xFFFu)) + 1) = 0x40_0007 + 0x1000;
        uint* kernel = (uint*)(g.M.Ram + (g.S->Cr3 & ~0xFFFul));
        kernel[0] = (uint)g.NewTable() | 3;
        for (uint n = 0; n < 256; n++)
        {
            ((uint*)(g.M.Ram + (kernel[0] & ~0xFFFu)))[n] = (n << 12) | 3;
        }

        g.SetCr4(0, Cr4.PSE);
        Assert.Equal(0x77, g.Peek(Region + 0x1234));
    }

    [Fact]
    public void Without_paging_addresses_are_physical_and_32_bits_wide()
    {
        using var m = new Integer.Snippet(GuestMode.Protected32, "8A0F8A0F");
        m.Ram[0x10_0000] = 0x33;
        m.State->Ds.Base = 0xFFFF_0000;
        Akvam.Cpu.Processor.UpdateMode(m.State);
        m[Register.Rdi] = 0x11_0000;
        Assert.Null(m.Run());
        Assert.Equal(0x33ul, m[Register.Rcx]);
    }

    [Fact]
    public void Page_tables_in_missing_memory_map_nothing()
    {
        using var g = new PagedGuest();
        *g.Entry(Region, 2) = 0x7_0000_0000 | 7;
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Equal(0u, g.S->Fault.ErrorCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_page_of_1_GiB_is_reserved_unless_CPUID_offers_it(bool offered)
    {
        using var g = new PagedGuest();
        CpuidEntry[] table = CpuidModel.Supported();
        int features = Array.FindIndex(table, e => e.Function == 0x8000_0001);
        table[features].Edx &= offered ? uint.MaxValue : ~(1u << 26);
        g.M.Processor.Cpuid.SetEntries(table);
        g.Map(Region, 0, level: 3);
        Assert.Equal(offered ? null : Vector.PF, g.Read(Region));
        Assert.Equal(offered ? 0u : 9u, offered ? 0u : g.S->Fault.ErrorCode);
    }

    [Theory]
    [InlineData(0ul, 0x18ul)] // both pages are missing: the first value pushed, SS, is the highest
    [InlineData(1ul, 0ul)] // only the lower one is: the highest value in it
    public void The_page_fault_of_a_frame_across_pages_tells_the_value_that_is_pushed_first(ulong upper, ulong expected)
    {
        using var g = new PagedGuest();
        g.M.Processor.InterceptedExceptions = 1u << (int)Vector.PF;
        *g.Entry(Region, 1) = 0;
        *g.Entry(Region + 0x1000, 1) = upper * (Frame | P | W);
        g.S->Gpr[Register.Rsp] = Region + 0x1020;
        Convert.FromHexString("0F0B").CopyTo(g.M.Memory[(int)Kernel..]);
        g.S->Rip = Kernel;
        g.M.Processor.Run(10);
        ulong address = g.S->Cr2 != 0 ? g.S->Cr2 : g.S->Fault.Payload;
        Assert.Equal(upper == 0 ? Region + 0x1000 + expected : Region + 0xFF8, address);
    }
}
