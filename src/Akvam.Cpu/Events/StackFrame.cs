using System.Runtime.CompilerServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>
/// A frame that is built in host memory and then pushed onto a guest stack as a whole, so that a fault leaves nothing half done. The stack need not be the
/// current one, nor the current privilege level's.
/// </summary>
/// <remarks>Valid as a local variable: it holds no pointer but the <see cref="CpuState"/> given to its methods.</remarks>
internal unsafe struct StackFrame
{
    private const int Capacity = 192;

    private fixed byte _bytes[Capacity];
    private int _used;
    private int _width;

    /// <summary>Stack pointer before the pushes; <see cref="Commit"/> lowers it.</summary>
    public ulong Pointer;

    /// <summary>FFFF, FFFFFFFF or all ones.</summary>
    public ulong Mask;

    /// <summary>The segment (ignored under a 64-bit <see cref="Mask"/>).</summary>
    public SegmentRegister Segment;

    /// <summary>TLB tag of the accesses: who pushes.</summary>
    public ulong Tag;

    /// <summary>The current stack, in values of <paramref name="width"/> bytes.</summary>
    public void Begin(CpuState* s, int width)
    {
        _used = 0;
        _width = width;
        Pointer = s->Gpr[Register.Rsp];
        Mask = s->StackMask;
        Segment = s->Ss;
        Tag = s->DataTag;
    }

    /// <summary>The stack of an inner privilege level.</summary>
    public void Begin(CpuState* s, int width, in SegmentRegister segment, ulong pointer, int cpl)
    {
        _used = 0;
        _width = width;
        Pointer = pointer;
        Mask = segment.IsBig ? 0xFFFF_FFFFul : 0xFFFF;
        Segment = segment;
        Tag = TagFor(s, cpl);
    }

    /// <summary>A 64-bit stack.</summary>
    public void BeginLong(CpuState* s, ulong pointer, int cpl)
    {
        _used = 0;
        _width = 8;
        Pointer = pointer;
        Mask = ulong.MaxValue;
        Tag = TagFor(s, cpl);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Push(ulong value)
    {
        _used += _width;
        fixed (byte* p = _bytes)
        {
            byte* to = p + Capacity - _used;
            if (_width == 8)
            {
                Unsafe.WriteUnaligned(to, value);
            }
            else if (_width == 4)
            {
                Unsafe.WriteUnaligned(to, (uint)value);
            }
            else
            {
                Unsafe.WriteUnaligned(to, (ushort)value);
            }
        }
    }

    /// <summary>Writes the frame; <see cref="Flow.Abort"/>: nothing is written, and the fault is set: #SS with <paramref name="error"/> if the stack is too small.</summary>
    public Flow Commit(CpuState* s, uint error)
    {
        ulong low = (Pointer - (ulong)_used) & Mask;
        fixed (byte* p = _bytes)
        {
            byte* from = p + Capacity - _used;
            Flow flow = Mask == ulong.MaxValue ? StoreLong(s, low, from, _used, Tag, error)
                : low + (ulong)_used - 1 <= Mask ? StoreLegacy(s, low, from, error)
                : StoreWrapped(s, low, from, error);
            if (flow != Flow.Abort)
            {
                Pointer = low;
            }

            return flow;
        }
    }

    /// <summary>Makes the pointer after <see cref="Commit"/> the value of RSP for a stack of the frame's width.</summary>
    public readonly void SetRsp(CpuState* s)
    {
        ulong rsp = s->Gpr[Register.Rsp];
        s->Gpr[Register.Rsp] = Mask == 0xFFFF ? (rsp & ~0xFFFFul) | (Pointer & 0xFFFF) : Pointer & Mask;
    }

    /// <summary>Writes values that are in memory as they shall be on a 64-bit stack of level <paramref name="cpl"/>, from <paramref name="low"/> up.</summary>
    public static Flow StoreLong(CpuState* s, ulong low, byte* from, int size, int cpl, uint error) => StoreLong(s, low, from, size, TagFor(s, cpl), error);

    private static Flow StoreLong(CpuState* s, ulong low, byte* from, int size, ulong tag, uint error)
    {
        ulong last = low + (ulong)size - 1;
        TlbEntry* e = Mem.Entry(s, low);
        if (e->Write == ((last & ~TlbTag.Mask) | tag))
        {
            Unsafe.CopyBlockUnaligned((byte*)(low + e->Addend), from, (uint)size);
            return Flow.Next;
        }

        if (!Canonical.Is(s, low) || !Canonical.Is(s, last))
        {
            return Fault.Ss(s, error);
        }

        return MayPush(s, low, size, 8, tag) ? SlowAccess.Store(s, low, from, size, tag) : Flow.Abort;
    }

    private readonly Flow StoreLegacy(CpuState* s, ulong low, byte* from, uint error)
    {
        if (!Fits(s, low, _used))
        {
            return Fault.Ss(s, error);
        }

        ulong linear = (uint)(low + Segment.Base);
        return MayPush(s, linear, _used, _width, Tag) ? SlowAccess.Store(s, linear, from, _used, Tag) : Flow.Abort;
    }

    /// <summary>A frame is pushed from the top down: the highest value that cannot be written is the one that CR2 tells of. [SDM2 INT n, pseudocode]</summary>
    private static bool MayPush(CpuState* s, ulong low, int size, int width, ulong tag)
    {
        for (int at = size - width; at >= 0; at -= width)
        {
            ulong linear = low + (ulong)at;
            if (!SlowAccess.Probe(s, (s->Mode & ModeKey.LongMode) != 0 ? linear : (uint)linear, width, AccessKind.Write, tag))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The stack pointer wraps around within the frame: each value is an access of its own, as the processor makes them.</summary>
    private readonly Flow StoreWrapped(CpuState* s, ulong low, byte* from, uint error)
    {
        for (int i = 0; i < _used; i += _width)
        {
            ulong offset = (low + (ulong)i) & Mask;
            if (!Fits(s, offset, _width))
            {
                return Fault.Ss(s, error);
            }

            if (!Mem.Probe(s, (uint)(offset + Segment.Base), _width, AccessKind.Write, system: Tag == s->SystemTag))
            {
                return Flow.Abort;
            }
        }

        for (int i = 0; i < _used; i += _width)
        {
            ulong offset = (low + (ulong)i) & Mask;
            if (SlowAccess.Store(s, (uint)(offset + Segment.Base), from + i, _width, Tag) == Flow.Abort)
            {
                return Flow.Abort;
            }
        }

        return Flow.Next;
    }

    private readonly bool Fits(CpuState* s, ulong offset, int size)
    {
        ulong last = offset + (ulong)size - 1;
        bool descriptors = (s->Cr0 & Cr0.PE) != 0;
        if (descriptors && (!Segment.IsUsable || !Segment.IsPresent))
        {
            return false;
        }

        if (descriptors && (Segment.Type & (SegmentRegister.Code | SegmentRegister.ExpandDown)) == SegmentRegister.ExpandDown)
        {
            return offset > Segment.Limit && last <= (Segment.IsBig ? 0xFFFF_FFFF : 0xFFFFu);
        }

        return last <= Segment.Limit;
    }

    /// <summary>Data accesses at <paramref name="cpl"/>, which is the current privilege level or an inner one.</summary>
    internal static ulong TagFor(CpuState* s, int cpl) => cpl == s->Cpl && (s->SystemFlags & Rflags.VM) == 0 ? s->DataTag
        : (s->Cr4 & Cr4.SMAP) != 0 && (s->SystemFlags & Rflags.AC) != 0 ? (s->SystemTag & ~TlbTag.WhoMask) | TlbTag.SupervisorAc
        : s->SystemTag;
}
