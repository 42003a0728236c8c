using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Accesses that the TLB's fast path does not serve: misses, page crossings, MMIO, tracked and read-only pages, alignment checks, breakpoints.</summary>
/// <remarks>
/// Valid as long as the <see cref="CpuState"/> it is given: host addresses come from slots that cannot go away while the processor is in the guest.
/// An access is split at page boundaries; all parts are translated before the first byte moves.
/// </remarks>
internal static unsafe class SlowAccess
{
    public static bool Load(CpuState* s, ulong linear, byte* to, int size, ulong tag)
    {
        if (!Check(s, linear, size, tag, AccessKind.Read, out ulong who))
        {
            return false;
        }

        int first = FirstPart(linear, size);
        if (!Resolve(s, linear, AccessKind.Read, who, out Target a))
        {
            return false;
        }

        if (first == size)
        {
            return Read(s, a, to, size);
        }

        return Resolve(s, Wrap(s, linear + (ulong)first), AccessKind.Read, who, out Target b) && Read(s, a, to, first) && Read(s, b, to + first, size - first);
    }

    public static Flow Store(CpuState* s, ulong linear, byte* from, int size, ulong tag)
    {
        if (!Check(s, linear, size, tag, AccessKind.Write, out ulong who))
        {
            return Flow.Abort;
        }

        int first = FirstPart(linear, size);
        if (!Resolve(s, linear, AccessKind.Write, who, out Target a))
        {
            return Flow.Abort;
        }

        if (first == size)
        {
            return Write(s, a, from, size);
        }

        if (!Resolve(s, Wrap(s, linear + (ulong)first), AccessKind.Write, who, out Target b))
        {
            return Flow.Abort;
        }

        Flow one = Write(s, a, from, first);
        Flow two = Write(s, b, from + first, size - first);
        return one > two ? one : two;
    }

    /// <summary>
    /// Where a read-modify-write operand can be worked on: RAM gives its real address (for a tracked page <see cref="EndModify"/> raises the version),
    /// a page crossing or MMIO the bounce buffer with the operand's bytes.
    /// </summary>
    public static byte* BeginModify(CpuState* s, ulong linear, int size)
    {
        if (!Check(s, linear, size, s->DataTag, AccessKind.Write, out ulong who) || !Resolve(s, linear, AccessKind.Write, who, out Target a))
        {
            return null;
        }

        int first = FirstPart(linear, size);
        if (first == size && a.Host != null)
        {
            s->TrackedModify = a.Version;
            return a.Host;
        }

        if (first != size && !Resolve(s, Wrap(s, linear + (ulong)first), AccessKind.Write, who, out _))
        {
            return null;
        }

        // Over two pages the host cannot help: one such operand at a time, from here to EndModify. [APM2 7.3.2]
        object gate = Processor.Of(s).Group.SplitLock;
        s->BounceLinear = linear;
        if (first != size)
        {
            Monitor.Enter(gate);
        }

        if (Load(s, linear, s->Bounce, size, s->DataTag))
        {
            return s->Bounce;
        }

        if (first != size)
        {
            Monitor.Exit(gate);
        }

        return null;
    }

    public static Flow EndModify(CpuState* s, byte* p, int size)
    {
        if (p == s->Bounce)
        {
            Flow flow = Store(s, s->BounceLinear, s->Bounce, size, s->DataTag);
            if (FirstPart(s->BounceLinear, size) != size)
            {
                Monitor.Exit(Processor.Of(s).Group.SplitLock);
            }

            return flow;
        }

        uint* version = s->TrackedModify;
        s->TrackedModify = null;
        return Written(s, version, p, size);
    }

    public static bool Probe(CpuState* s, ulong linear, int size, AccessKind kind, ulong tag)
    {
        ulong who = Who(s, tag);
        int first = FirstPart(linear, size);
        return Resolve(s, linear, kind, who, out _) && (first == size || Resolve(s, Wrap(s, linear + (ulong)first), kind, who, out _));
    }

    private static ulong Wrap(CpuState* s, ulong linear) => (s->Mode & ModeKey.LongMode) != 0 ? linear : (uint)linear;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstPart(ulong linear, int size) => (int)Math.Min((ulong)size, 4096 - (linear & 4095));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Who(CpuState* s, ulong tag) => (tag & TlbTag.WhoMask) == TlbTag.Slow ? s->SlowWho : tag & TlbTag.WhoMask;

    /// <summary>Alignment check and data breakpoints, for accesses of the program.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Check(CpuState* s, ulong linear, int size, ulong tag, AccessKind kind, out ulong who)
    {
        who = Who(s, tag);
        if (FirstPart(linear, size) != size && (s->Mode & ModeKey.Code64) != 0 && !Canonical.Is(s, linear + (ulong)size - 1))
        {
            // Before the first page is even looked at.
            Fault.NonCanonical(s);
            return false;
        }

        if ((tag & TlbTag.WhoMask) != TlbTag.Slow)
        {
            return true;
        }

        if (s->AlignmentCheck != 0 && size <= 16 && (linear & (ulong)(size - 1)) != 0 && (size & (size - 1)) == 0)
        {
            Fault.Ac(s);
            return false;
        }

        if (s->DataBreakpoints != 0)
        {
            s->PendingDebug |= Breakpoints.MatchData(s, linear, size, kind);
        }

        return true;
    }

    /// <summary>One page's part of an access: RAM (Host), RAM holding code (Version too), or a physical address without writable RAM.</summary>
    private struct Target
    {
        public byte* Host;
        public uint* Version;
        public ulong Gpa;
    }

    private static bool Resolve(CpuState* s, ulong linear, AccessKind kind, ulong who, out Target target)
    {
        target = default;
        TlbEntry* e = Mem.Entry(s, linear);
        ulong tag = (s->SystemTag & ~TlbTag.WhoMask) | who;
        ulong page = (linear & ~TlbTag.Mask) | tag;
        PhysicalMemory memory = Processor.Of(s).Group.Memory;
        if (kind == AccessKind.Read ? e->Read == page : e->Write == page || e->Tracked == page)
        {
            target.Host = (byte*)(linear + e->Addend);
            if (kind == AccessKind.Write && e->Write != page)
            {
                target.Version = memory.Code.VersionOf(target.Host);
                if (Volatile.Read(ref *target.Version) == 0)
                {
                    // It is no code any more.
                    e->Write = page;
                    e->Tracked = TlbEntry.Invalid;
                    target.Version = null;
                }
            }

            return true;
        }

        if (MmioTlb.Find(s, linear, kind, page, out target.Gpa))
        {
            return true;
        }

        if (!PageWalker.Translate(s, linear, kind, who, out PageWalk walk))
        {
            return false;
        }

        target.Gpa = walk.Gpa;
        MemorySlot? slot = walk.Slot != null && walk.Slot.Contains(walk.Gpa) ? walk.Slot : memory.Find(s->InSmm, walk.Gpa);
        if (slot == null)
        {
            MmioTlb.Fill(s, linear, page, walk);
            return true;
        }

        if (kind == AccessKind.Write && slot.ReadOnly)
        {
            return true;
        }

        target.Host = slot.Host + (walk.Gpa - slot.Gpa);
        Fill(s, e, linear, page, target.Host, slot, walk, kind, memory, out target.Version);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill(CpuState* s, TlbEntry* e, ulong linear, ulong page, byte* host, MemorySlot slot, in PageWalk walk, AccessKind kind, PhysicalMemory memory, out uint* version)
    {
        version = null;
        ulong write = TlbEntry.Invalid, tracked = TlbEntry.Invalid;

        // A page that is dirty-logged becomes writable here only with a write, so that the log sees the first one.
        if (!slot.ReadOnly && walk.Writable && (kind == AccessKind.Write || !slot.LogsDirty))
        {
            slot.MarkDirty(walk.Gpa);
            uint* v = memory.Code.VersionOf(host);
            if (Volatile.Read(ref *v) == 0)
            {
                write = page;
            }
            else
            {
                tracked = page;
                version = kind == AccessKind.Write ? v : null;
            }
        }

        if (Mem.SharesEntryWithPageBefore(linear))
        {
            // An access from one to the other would find this page and touch what the host has before it.
            return;
        }

        e->Read = page;
        e->Write = write;
        e->Tracked = tracked;
        e->Addend = (ulong)host - linear;
        if (walk.Large || walk.Huge)
        {
            Processor.Of(s).Contexts.NoteLarge(linear, walk.Huge);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Read(CpuState* s, in Target t, byte* to, int size)
    {
        if (t.Host != null)
        {
            Copy(to, t.Host, size);
            return true;
        }

        return Processor.Of(s).ReadMmio(t.Gpa, new Span<byte>(to, size));
    }

    private static Flow Write(CpuState* s, in Target t, byte* from, int size)
    {
        if (t.Host == null)
        {
            return Processor.Of(s).WriteMmio(t.Gpa, new ReadOnlySpan<byte>(from, size));
        }

        Copy(t.Host, from, size);
        if (t.Version == null)
        {
            return Flow.Next;
        }

        return Written(s, t.Version, t.Host, size);
    }

    /// <summary>
    /// Bytes of a page with code were written. The block that is running may be the one that was changed: it is left after this instruction. Other processors may be in
    /// a loop in this page that asks for nothing but requests.
    /// </summary>
    private static Flow Written(CpuState* s, uint* version, byte* host, int size)
    {
        if (!CodeMap.Written(version, host, size))
        {
            return Flow.Next;
        }

        Processor processor = Processor.Of(s);
        if (processor.Group.Processors.Length > 1)
        {
            foreach (Processor other in processor.Group.Processors)
            {
                if (other != processor)
                {
                    Processor.Post(other.State, Request.Evaluate);
                }
            }
        }

        return Flow.End;
    }

    /// <summary>Copies with the widest single accesses, so that aligned operands stay indivisible.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(byte* to, byte* from, int size)
    {
        switch (size)
        {
            case 1:
                *to = *from;
                break;
            case 2:
                *(ushort*)to = *(ushort*)from;
                break;
            case 4:
                *(uint*)to = *(uint*)from;
                break;
            case 8:
                *(ulong*)to = *(ulong*)from;
                break;
            default:
                Buffer.MemoryCopy(from, to, size, size);
                break;
        }
    }
}
