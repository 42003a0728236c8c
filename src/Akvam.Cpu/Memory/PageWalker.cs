using System.Runtime.CompilerServices;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Linear to physical: no paging, 32-bit paging with PSE and PSE-36, PAE, 4 and 5 levels. [SDM3 4] [APM2 5]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given; entries are read and changed in host memory of slots that cannot go away meanwhile.</remarks>
internal static unsafe partial class PageWalker
{
    private const ulong P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, NX = 1ul << 63;
    private const uint ErrP = 1, ErrW = 2, ErrU = 4, ErrRsvd = 8, ErrFetch = 16, ErrPk = 32;
    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>Translates for an access; false: #PF (or #GP, #SS for a non-canonical address) is set. Sets accessed and dirty bits.</summary>
    public static bool Translate(CpuState* s, ulong linear, AccessKind kind, ulong who, out PageWalk walk)
    {
        walk = default;
        if ((s->Cr0 & Cr0.PG) == 0)
        {
            walk.Gpa = (uint)linear;
            walk.Writable = true;
            return true;
        }

        if ((s->Efer & Efer.LMA) != 0)
        {
            bool la57 = (s->Cr4 & Cr4.LA57) != 0;
            if (!Canonical.Is(linear, la57))
            {
                Fault.NonCanonical(s);
                return false;
            }

            return ((s->Cr4 & (Cr4.LA57 | Cr4.PKE)) == 0 && TryCommon(s, linear, kind, who, ref walk))
                || Walk64(s, linear, kind, who, s->Cr3 & FrameMask, la57 ? 5 : 4, ref walk);
        }

        linear = (uint)linear;
        if ((s->Cr4 & Cr4.PAE) == 0)
        {
            return Walk32(s, linear, kind, who, ref walk);
        }

        ulong pdpte = s->Pdpte[linear >> 30];
        if ((pdpte & P) == 0)
        {
            return Deny(s, linear, kind, who, 0);
        }

        return Walk64(s, linear, kind, who, pdpte & FrameMask, 2, ref walk);
    }

    [SkipLocalsInit]
    private static bool Walk64(CpuState* s, ulong linear, AccessKind kind, ulong who, ulong table, int level, ref PageWalk walk)
    {
        Processor p = Processor.Of(s);
        PhysicalMemory memory = p.Group.Memory;
        ulong reserved = (p.Cpuid.ReservedAddressBits & FrameMask) | ((s->Efer & Efer.NXE) == 0 ? NX : 0);
        if ((s->Efer & Efer.LMA) == 0)
        {
            // PAE outside long mode: bits 62:52 are reserved too. [SDM3 4.4.2]
            reserved |= 0x7FF0_0000_0000_0000;
        }

        ulong upperReserved = p.Cpuid.IsAmd ? G : 0;
        MemorySlot? slot = null;
        ulong* visited = stackalloc ulong[5];
    restart:
        int depth = 0;
        int l = level;
        ulong t = table, rights = W | U, nx = 0, entry, missing = 0;
        for (; ; l--)
        {
            ulong gpa = t + (((linear >> (3 + (9 * l))) & 511) << 3);
            if (slot == null || !slot.Contains(gpa))
            {
                slot = memory.Find(s->InSmm, gpa);
                if (slot == null)
                {
                    return Deny(s, linear, kind, who, 0);
                }
            }

            entry = *(ulong*)(slot.Host + (gpa - slot.Gpa));
            if ((entry & P) == 0)
            {
                return Deny(s, linear, kind, who, 0);
            }

            bool leaf = l == 1 || ((entry & PS) != 0 && l <= 3);
            ulong bad = reserved;
            if (l >= 4)
            {
                bad |= PS | upperReserved;
            }
            else if (l == 3 && leaf && !p.Cpuid.Allows(Feature.Pdpe1Gb))
            {
                bad |= PS;
            }
            else if (l == 3 && !leaf)
            {
                // AMD processors reserve what would be the G bit. [APM2 figure 5-21]
                bad |= upperReserved;
            }
            else if (leaf && l > 1)
            {
                bad |= (1ul << (12 + (9 * (l - 1)))) - 1 & ~0x1FFFul;
            }

            if ((entry & bad) != 0)
            {
                Deny(s, linear, kind, who, ErrP | ErrRsvd);
                s->Fault.BeyondAddresses = (entry & bad & ~(p.Cpuid.ReservedAddressBits & ((1ul << CpuidModel.PhysicalAddressBits) - 1))) == 0;
                return false;
            }

            rights &= entry;
            nx |= entry & NX;
            missing |= ~entry & A;
            visited[depth++] = gpa;
            if (leaf)
            {
                break;
            }

            t = entry & FrameMask;
        }

        int key = (s->Efer & Efer.LMA) != 0 && (s->Cr4 & Cr4.PKE) != 0 && (rights & U) != 0 ? (int)(entry >> 59) & 15 : -1;
        if (!Allowed(s, linear, kind, who, rights, nx != 0, key))
        {
            return false;
        }

        // Usually they are all set already.
        missing |= kind == AccessKind.Write ? ~entry & D : 0;
        for (int d = 0; d < depth && missing != 0; d++)
        {
            ulong set = A | (d == depth - 1 && kind == AccessKind.Write ? D : 0);
            if (!SetBits64(memory, s->InSmm, visited[d], set, d == depth - 1 ? entry : null))
            {
                goto restart;
            }
        }

        int shift = 12 + (9 * (l - 1));
        ulong offset = (1ul << shift) - 1;
        walk.Gpa = (entry & FrameMask & ~offset) | (linear & offset);
        walk.Large = l == 2;
        walk.Huge = l == 3;
        walk.Slot = slot;
        walk.Writable = ((entry & D) != 0 || kind == AccessKind.Write) && MayWrite(s, who, rights, key);
        return true;
    }

    private static bool Walk32(CpuState* s, ulong linear, AccessKind kind, ulong who, ref PageWalk walk)
    {
        PhysicalMemory memory = Processor.Of(s).Group.Memory;
    restart:
        ulong pdeGpa = (s->Cr3 & 0xFFFF_F000) + ((linear >> 22) << 2);
        MemorySlot? slot = memory.Find(s->InSmm, pdeGpa);
        uint pde = slot == null ? 0 : *(uint*)(slot.Host + (pdeGpa - slot.Gpa));
        if ((pde & P) == 0)
        {
            return Deny(s, linear, kind, who, 0);
        }

        ulong rights = pde;
        ulong leafGpa = pdeGpa;
        uint leaf = pde;
        bool large = (pde & PS) != 0 && (s->Cr4 & Cr4.PSE) != 0;
        if (large)
        {
            // Bits 20:13 hold address bits 39:32 (PSE-36); bit 21 is reserved. [SDM3 4.3]
            if ((pde & (1u << 21)) != 0 || (((ulong)(pde >> 13 & 0xFF) << 32) & Processor.Of(s).Cpuid.ReservedAddressBits) != 0)
            {
                return Deny(s, linear, kind, who, ErrP | ErrRsvd);
            }
        }
        else
        {
            leafGpa = (pde & 0xFFFF_F000) + (((linear >> 12) & 1023) << 2);
            slot = memory.Find(s->InSmm, leafGpa);
            leaf = slot == null ? 0 : *(uint*)(slot.Host + (leafGpa - slot.Gpa));
            if ((leaf & P) == 0)
            {
                return Deny(s, linear, kind, who, 0);
            }

            rights &= leaf;
        }

        if (!Allowed(s, linear, kind, who, rights, false, -1))
        {
            return false;
        }

        uint set = (uint)A | (kind == AccessKind.Write ? (uint)D : 0);
        if ((!large && !SetBits32(memory, s->InSmm, pdeGpa, (uint)A, pde)) || !SetBits32(memory, s->InSmm, leafGpa, set, leaf))
        {
            goto restart;
        }

        walk.Large = large;
        walk.Gpa = large ? ((ulong)(pde >> 13 & 0xFF) << 32) | (pde & 0xFFC0_0000) | (linear & 0x3F_FFFF) : (leaf & 0xFFFF_F000) | (linear & 0xFFF);
        walk.Writable = ((leaf & D) != 0 || kind == AccessKind.Write) && MayWrite(s, who, rights, -1);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayWrite(CpuState* s, ulong who, ulong rights, int key)
    {
        bool user = who == TlbTag.User;
        if ((rights & W) == 0 && (user || (s->Cr0 & Cr0.WP) != 0))
        {
            return false;
        }

        return key < 0 || (s->Pkru >> (2 * key) & 2) == 0 || (!user && (s->Cr0 & Cr0.WP) == 0);
    }

    private static bool Allowed(CpuState* s, ulong linear, AccessKind kind, ulong who, ulong rights, bool nx, int key)
    {
        bool user = who == TlbTag.User;
        bool userPage = (rights & U) != 0;
        uint pk = 0;
        bool ok = userPage || !user;
        if (kind == AccessKind.Execute)
        {
            ok &= !nx && (user || !userPage || (s->Cr4 & Cr4.SMEP) == 0);
        }
        else
        {
            // SMAP: supervisor data accesses to user pages, unless RFLAGS.AC allows explicit ones. [SDM3 4.6.1]
            ok &= user || !userPage || (s->Cr4 & Cr4.SMAP) == 0 || who == TlbTag.SupervisorAc;
            if (kind == AccessKind.Write)
            {
                ok &= (rights & W) != 0 || (!user && (s->Cr0 & Cr0.WP) == 0);
            }

            if (key >= 0)
            {
                uint bits = s->Pkru >> (2 * key) & 3;
                bool denied = (bits & 1) != 0 || (kind == AccessKind.Write && (bits & 2) != 0 && (user || (s->Cr0 & Cr0.WP) != 0));
                pk = denied ? ErrPk : 0;
                ok &= !denied;
            }
        }

        return ok || Deny(s, linear, kind, who, ErrP | pk);
    }

    private static bool Deny(CpuState* s, ulong linear, AccessKind kind, ulong who, uint error)
    {
        error |= kind == AccessKind.Write ? ErrW : 0;
        error |= who == TlbTag.User ? ErrU : 0;

        // I/D is reported only when something can make a page non-executable. [SDM3 4.7]
        bool reportsFetch = (s->Cr4 & Cr4.SMEP) != 0 || ((s->Cr4 & Cr4.PAE) != 0 && (s->Efer & Efer.NXE) != 0);
        error |= kind == AccessKind.Execute && reportsFetch ? ErrFetch : 0;
        Fault.Pf(s, error, linear);
        return false;
    }

    /// <summary>Sets accessed and dirty bits atomically; false when the entry changed since it was read (the walk starts again).</summary>
    private static bool SetBits64(PhysicalMemory memory, int space, ulong gpa, ulong bits, ulong? read)
    {
        MemorySlot? slot = memory.Find(space, gpa);
        if (slot == null)
        {
            return false;
        }

        ulong* p = (ulong*)(slot.Host + (gpa - slot.Gpa));
        ulong old = Volatile.Read(ref *p);
        if (read is { } expected && ((old ^ expected) & ~(A | D)) != 0)
        {
            return false;
        }

        if ((old & P) == 0)
        {
            return false;
        }

        if ((old & bits) == bits || slot.ReadOnly)
        {
            return true;
        }

        if (Interlocked.CompareExchange(ref *p, old | bits, old) != old)
        {
            return false;
        }

        memory.Written(slot, gpa, (byte*)p, sizeof(ulong));
        return true;
    }

    private static bool SetBits32(PhysicalMemory memory, int space, ulong gpa, uint bits, uint read)
    {
        if ((read & bits) == bits)
        {
            return true;
        }

        MemorySlot? slot = memory.Find(space, gpa);
        if (slot == null)
        {
            return false;
        }

        uint* p = (uint*)(slot.Host + (gpa - slot.Gpa));
        if (slot.ReadOnly)
        {
            return true;
        }

        if (Interlocked.CompareExchange(ref *p, read | bits, read) != read)
        {
            return false;
        }

        memory.Written(slot, gpa, (byte*)p, sizeof(uint));
        return true;
    }
}
