using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using static Akvam.Isa.Tests.Paging.PagedGuest;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Every combination of page rights, control bits and kinds of access, against the rules of [SDM3 4.6] and the error code of [SDM3 4.7].</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class RightsTests
{
    private const ulong Frame = 0x50_0000;

    public static TheoryData<GuestMode, int> Sizes() => new()
    {
        { GuestMode.Long, 1 }, { GuestMode.Long, 2 }, { GuestMode.Long, 3 }, { GuestMode.Pae, 1 }, { GuestMode.Pae, 2 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Rights_of_both_levels_and_control_bits_decide(GuestMode mode, int level)
    {
        using var g = new PagedGuest(mode);
        g.S->Efer |= Efer.NXE;
        ulong target = Region + (level == 3 ? Frame + (1ul << 39) : 0);
        ulong* leaf = g.Map(target, level == 3 ? 0 : level == 2 ? 0x40_0000ul : Frame, level: level);
        ulong offset = level == 2 ? Frame - 0x40_0000 : 0;
        ulong* upper = mode == GuestMode.Pae && level == 2 ? leaf : g.Entry(target, level + 1);
        g.M.Ram[Frame] = 0x90;
        ulong leafBase = *leaf & ~(W | U), upperBase = *upper & ~(W | U);
        for (int control = 0; control < 16; control++)
        {
            bool wp = (control & 1) != 0, smep = (control & 2) != 0, smap = (control & 4) != 0, ac = (control & 8) != 0;
            g.S->Cr0 = wp ? g.S->Cr0 | Cr0.WP : g.S->Cr0 & ~Cr0.WP;
            g.SetCr4((smep ? Cr4.SMEP : 0) | (smap ? Cr4.SMAP : 0), Cr4.SMEP | Cr4.SMAP);
            g.Ac = ac;
            for (int rights = 0; rights < 64; rights++)
            {
                ulong low = Bits(rights & 7), high = upper == leaf ? W | U : Bits(rights >> 3);
                for (int access = 0; access < 6; access++)
                {
                    var kind = (AccessKind)(access >> 1);
                    bool user = (access & 1) != 0;
                    *upper = upperBase | high;
                    *leaf = leafBase | low;
                    g.Flush();
                    g.SetUser(user);
                    uint? expected = Expect(kind, user, low & high, ((low | high) & NX) != 0, wp, smep, smap, ac, 0, false);
                    string what = $"{kind} user={user} leaf={low:x} upper={high:x} wp={wp} smep={smep} smap={smap} ac={ac}";

                    // The second time the translation may come from the TLB.
                    for (int turn = 0; turn < 2; turn++)
                    {
                        Vector? got = g.Access(kind, target + offset);
                        Assert.True((got == Vector.PF) == (expected != null) && (got == null) == (expected == null), $"{what}: {got}, expected {expected:x}");
                        if (expected is { } error)
                        {
                            Assert.True(g.S->Fault.ErrorCode == error && g.S->Fault.Payload == target + offset, $"{what}: {g.S->Fault.ErrorCode:x} at {g.S->Fault.Payload:x}, expected {error:x}");
                            Assert.True((*leaf & (A | D)) == 0, $"{what}: a fault set {*leaf:x}");
                        }
                        else
                        {
                            Assert.True((*leaf & (A | D)) == (kind == AccessKind.Write ? A | D : A), $"{what}: {*leaf:x}");
                        }
                    }
                }
            }
        }
    }

    [Fact]
    public void Protection_keys_restrict_data_accesses_to_user_pages()
    {
        using var g = new PagedGuest();
        ulong* leaf = g.Map(Region, Frame);
        g.M.Ram[Frame] = 0x90;
        for (int n = 0; n < 16 * 4 * 2 * 2 * 2 * 3; n++)
        {
            int key = n & 15, bits = (n >> 4) & 3;
            bool wp = (n >> 6 & 1) != 0, user = (n >> 7 & 1) != 0, userPage = (n >> 8 & 1) != 0;
            var kind = (AccessKind)(n >> 9);
            *leaf = Frame | P | W | (userPage ? U : 0) | ((ulong)key << 59);
            g.S->Cr0 = wp ? g.S->Cr0 | Cr0.WP : g.S->Cr0 & ~Cr0.WP;
            g.S->Pkru = (uint)bits << (2 * key);
            g.SetCr4(Cr4.PKE);
            g.SetUser(user);
            uint? expected = Expect(kind, user, W | (userPage ? U : 0), false, wp, false, false, false, bits, userPage, nxe: false);
            Vector? got = g.Access(kind, Region);
            string what = $"{kind} key={key} pkru={bits} wp={wp} user={user} userPage={userPage}";
            Assert.True((got == Vector.PF ? g.S->Fault.ErrorCode : null) == expected && got is null or Vector.PF, $"{what}: {got} {g.S->Fault.ErrorCode:x}, expected {expected:x}");
        }
    }

    [Fact]
    public void A_change_of_pkru_takes_effect_at_once()
    {
        // WRPKRU needs no invalidation of translations. [SDM3 4.6.2]
        using var g = new PagedGuest();
        *g.Map(Region, Frame) |= 5ul << 59;
        g.SetCr4(Cr4.PKE);
        g.SetUser(true);
        Assert.Null(g.Write(Region));
        foreach ((uint pkru, Vector? read, Vector? write) in new (uint, Vector?, Vector?)[] { (2u << 10, null, Vector.PF), (1u << 10, Vector.PF, Vector.PF), (0, null, null) })
        {
            g.S->Gpr[Register.Rax] = pkru;
            g.S->Gpr[Register.Rcx] = g.S->Gpr[Register.Rdx] = 0;
            Assert.Null(g.Execute("0F01EF"));
            Assert.Equal(read, g.Read(Region));
            Assert.Equal(write, g.Write(Region));
        }
    }

    [Fact]
    public void Smap_ignores_ac_for_implicit_accesses()
    {
        // LLDT reads the GDT as the processor itself; MOV reads the same bytes for the program. [SDM3 4.6.1]
        using var g = new PagedGuest();
        g.Map(Region, Frame);
        g.SetCr4(Cr4.SMAP);
        g.S->GdtBase = Region;
        g.Ac = true;
        Assert.Null(g.Read(Region + 8));
        g.S->Gpr[Register.Rax] = 8;
        Assert.Equal(Vector.PF, g.Execute("0F00D0"));
        Assert.Equal((1u, Region + 8), (g.S->Fault.ErrorCode, g.S->Fault.Payload & ~7ul));
        g.SetCr4(0, Cr4.SMAP);
        g.S->Gpr[Register.Rax] = 8;
        Assert.NotEqual(Vector.PF, g.Execute("0F00D0"));
    }

    [Fact]
    public void Stac_and_clac_take_effect_on_the_next_access()
    {
        using var g = new PagedGuest();
        g.Map(Region, Frame);
        g.SetCr4(Cr4.SMAP);
        g.Ac = false;
        Assert.Equal(Vector.PF, g.Read(Region));
        Assert.Null(g.Execute("0F01CB"));
        Assert.Null(g.Read(Region));
        Assert.Null(g.Execute("0F01CA"));
        Assert.Equal(Vector.PF, g.Read(Region));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Thirty_two_bit_pages_obey_the_same_rules(bool large)
    {
        using var g = new PagedGuest(GuestMode.Protected32Paged);
        ulong target = Region + (large ? 0x10_0000u : 0);
        uint* upper = g.Pde32(target);
        *upper = 0;
        uint* leaf = large ? upper : g.Pte32(target);
        uint leafBase = large ? 0x40_0080u : (uint)Frame;
        g.M.Ram[Frame] = 0x90;
        uint upperBase = *upper & ~7u;
        for (int n = 0; n < 16 * 6 * 16; n++)
        {
            int access = n / 16 % 6, control = n / 96;
            bool wp = (control & 1) != 0, smep = (control & 2) != 0, smap = (control & 4) != 0, ac = (control & 8) != 0, user = (access & 1) != 0;
            var kind = (AccessKind)(access >> 1);
            g.S->Cr0 = wp ? g.S->Cr0 | Cr0.WP : g.S->Cr0 & ~Cr0.WP;
            g.SetCr4((smep ? Cr4.SMEP : 0) | (smap ? Cr4.SMAP : 0), Cr4.SMEP | Cr4.SMAP);
            g.Ac = ac;
            ulong low = Bits(n & 3), high = large ? low : Bits((n >> 2) & 3);
            *upper = upperBase | 1 | (uint)high;
            *leaf = leafBase | 1 | (uint)low;
            g.Flush();
            g.SetUser(user);
            uint? expected = Expect(kind, user, low & high, false, wp, smep, smap, ac, 0, false, nxe: false);
            Vector? got = g.Access(kind, target);
            Assert.True((got == Vector.PF ? g.S->Fault.ErrorCode : null) == expected && got is null or Vector.PF, $"{kind} user={user} {low:x} {high:x} control={control}: {got} {g.S->Fault.ErrorCode:x}, expected {expected:x}");
            Assert.Equal(expected != null ? 0u : kind == AccessKind.Write ? (uint)(A | D) : (uint)A, *leaf & (uint)(A | D));
        }
    }

    private static ulong Bits(int n) => ((n & 1) != 0 ? W : 0) | ((n & 2) != 0 ? U : 0) | ((n & 4) != 0 ? NX : 0);

    /// <summary>The error code that the manual asks for, or null when the access is allowed.</summary>
    private static uint? Expect(AccessKind kind, bool user, ulong rights, bool nx, bool wp, bool smep, bool smap, bool ac, int pkru, bool keyed, bool nxe = true)
    {
        bool userPage = (rights & U) != 0, writable = (rights & W) != 0;
        bool denied = kind switch
        {
            AccessKind.Execute => nx || (user ? !userPage : userPage && smep),
            AccessKind.Read => user ? !userPage : userPage && smap && !ac,
            _ => user ? !userPage || !writable : (userPage && smap && !ac) || (!writable && wp),
        };
        bool byKey = keyed && kind != AccessKind.Execute && ((pkru & 1) != 0 || (kind == AccessKind.Write && (pkru & 2) != 0 && (user || wp)));
        if (!denied && !byKey)
        {
            return null;
        }

        bool reportsFetch = kind == AccessKind.Execute && (smep || nxe);
        return 1u | (kind == AccessKind.Write ? 2u : 0) | (user ? 4u : 0) | (reportsFetch ? 16u : 0) | (byKey ? 32u : 0);
    }
}
