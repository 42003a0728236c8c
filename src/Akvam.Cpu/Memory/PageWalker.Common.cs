using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <content>
/// The common walk: four levels, every entry present and accessed, a page of 4 KiB or 2 MiB, and an access that is allowed. It changes nothing in memory, so that whatever
/// it does not find in order can be walked again from the start.
/// </content>
internal static unsafe partial class PageWalker
{
    private const int RootShift = 39, LargeShift = 21, PageShift = 12;

    /// <summary>False: the walk has to be done step by step, which finds what is wrong or sets the bits.</summary>
    private static bool TryCommon(CpuState* s, ulong linear, AccessKind kind, ulong who, ref PageWalk walk)
    {
        Processor p = Processor.Of(s);
        MemorySlot? slot = p.TableSlot;
        if (slot == null || slot.Space != s->InSmm)
        {
            slot = null;
        }

        ulong entry = s->Cr3, all = ulong.MaxValue, any = 0, upper = 0;
        int shift = RootShift;
        while (true)
        {
            ulong gpa = (entry & FrameMask) + ((linear >> (shift - 3)) & 0xFF8);
            if (slot == null || !slot.Contains(gpa))
            {
                slot = p.Group.Memory.Find(s->InSmm, gpa);
                if (slot == null)
                {
                    return false;
                }

                p.TableSlot = slot;
            }

            entry = *(ulong*)(slot.Host + (gpa - slot.Gpa));
            all &= entry;
            any |= entry;
            if (shift == PageShift)
            {
                break;
            }

            if ((entry & PS) != 0)
            {
                if (shift != LargeShift || (entry & ((1ul << LargeShift) - 1) & ~0x1FFFul) != 0)
                {
                    return false;
                }

                break;
            }

            // What would be the G bit of the two upper levels, which AMD processors reserve.
            upper |= shift > LargeShift ? entry : 0;
            shift -= 9;
        }

        ulong reserved = (p.Cpuid.ReservedAddressBits & FrameMask) | ((s->Efer & Efer.NXE) == 0 ? NX : 0);
        if ((all & (P | A)) != (P | A) || (any & reserved) != 0 || ((upper & G) != 0 && p.Cpuid.IsAmd))
        {
            return false;
        }

        bool user = who == TlbTag.User, userPage = (all & U) != 0;
        bool mayWrite = (all & W) != 0 || (!user && (s->Cr0 & Cr0.WP) == 0);
        bool allowed = kind switch
        {
            AccessKind.Execute => (any & NX) == 0 && (user ? userPage : !userPage || (s->Cr4 & Cr4.SMEP) == 0),
            AccessKind.Write when !mayWrite || (entry & D) == 0 => false,
            _ => user ? userPage : !userPage || who == TlbTag.SupervisorAc || (s->Cr4 & Cr4.SMAP) == 0,
        };
        if (!allowed)
        {
            return false;
        }

        ulong offset = (1ul << shift) - 1;
        walk.Gpa = (entry & FrameMask & ~offset) | (linear & offset);
        walk.Large = shift == LargeShift;
        walk.Huge = false;
        walk.Slot = slot;
        walk.Writable = mayWrite && (entry & D) != 0;
        return true;
    }
}
