using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Descriptors in the GDT and LDT: implicit supervisor accesses, and the bits the processor sets in them under lock. [APM2 4.6] [SDM3 8.1.2.1]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class DescriptorTable
{
    /// <summary>Where the descriptor of a selector is, in <paramref name="size"/> bytes; false: outside its table. Not for null selectors.</summary>
    public static bool Locate(CpuState* s, ushort selector, int size, out ulong linear)
    {
        ulong tableBase = s->GdtBase;
        uint limit = s->GdtLimit;
        if ((selector & 4) != 0)
        {
            if (!s->Ldtr.IsUsable || !s->Ldtr.IsPresent)
            {
                linear = 0;
                return false;
            }

            tableBase = s->Ldtr.Base;
            limit = s->Ldtr.Limit;
        }

        uint offset = selector & 0xFFF8u;
        linear = Linear(s, tableBase + offset);
        return offset + (uint)size - 1 <= limit;
    }

    /// <summary>A system linear address: 32 bits outside long mode.</summary>
    public static ulong Linear(CpuState* s, ulong address) => (s->Efer & Efer.LMA) != 0 ? address : (uint)address;

    /// <summary>Reads a descriptor; outside the table it raises <paramref name="outside"/> with <paramref name="error"/>. False: the fault is set.</summary>
    public static bool Read(CpuState* s, ushort selector, Vector outside, uint error, out Descriptor descriptor)
    {
        descriptor = default;
        if (!Locate(s, selector, 8, out ulong linear))
        {
            Fault.Raise(s, outside, error);
            return false;
        }

        if (!Mem.LoadSystem(s, linear, out ulong raw))
        {
            return false;
        }

        descriptor = new Descriptor(raw);
        return true;
    }

    /// <summary>The descriptor of a selector that is not null, if it is in the GDT and the TLB has it there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryGlobal(CpuState* s, ushort selector, out Descriptor descriptor)
    {
        const int Local = 4;
        uint offset = selector & 0xFFF8u;
        ulong linear = s->GdtBase + offset;
        TlbEntry* e = Mem.Entry(s, linear);
        if ((selector & Local) != 0 || offset == 0 || offset + 7 > s->GdtLimit || e->Read != (((linear + 7) & ~TlbTag.Mask) | s->SystemTag))
        {
            descriptor = default;
            return false;
        }

        descriptor = new Descriptor(*(ulong*)(linear + e->Addend));
        return true;
    }

    /// <summary>As <see cref="TryGlobal"/>, if it is ordinary 64-bit code: present, not conforming, and accessed before. In long mode only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryCommonCode(CpuState* s, ushort selector, out Descriptor descriptor)
    {
        const ulong Mask = (0x9Dul << 40) | (3ul << 53), Ordinary = (0x99ul << 40) | (1ul << 53);
        return TryGlobal(s, selector, out descriptor) && (descriptor.Raw & Mask) == Ordinary;
    }

    /// <summary>
    /// The second half of a 16-byte descriptor (call gate, TSS or LDT in long mode): the upper base or offset. Its type field must be zero. False: the
    /// fault is set. [APM2 4.8.3]
    /// </summary>
    public static bool ReadUpper(CpuState* s, ushort selector, uint error, out uint upper)
    {
        upper = 0;
        if (!Locate(s, selector, 16, out ulong linear))
        {
            Fault.Gp(s, error);
            return false;
        }

        if (!Mem.LoadSystem(s, linear + 8, out ulong raw))
        {
            return false;
        }

        upper = (uint)raw;
        if ((raw & 0x1F00_0000_0000) != 0)
        {
            Fault.Gp(s, error);
            return false;
        }

        return true;
    }

    /// <summary>Sets the accessed bit of a code or data segment, unless it is set already. False: the fault is set.</summary>
    public static bool SetAccessed(CpuState* s, ushort selector, Descriptor descriptor) =>
        descriptor.IsAccessed || ModifyType(s, selector, (byte)SegmentRegister.Accessed, 0);

    /// <summary>Sets or clears the busy bit of a TSS. False: the fault is set.</summary>
    public static bool SetBusy(CpuState* s, ushort selector, bool busy) => ModifyType(s, selector, busy ? (byte)2 : (byte)0, 2);

    /// <summary>Whether the bits of a descriptor's type could be changed. False: the fault is set.</summary>
    public static bool ProbeType(CpuState* s, ushort selector)
    {
        Locate(s, selector, 8, out ulong linear);
        return Mem.Probe(s, linear + 5, 1, AccessKind.Write, system: true);
    }

    private static bool ModifyType(CpuState* s, ushort selector, byte set, byte clear)
    {
        Locate(s, selector, 8, out ulong linear);

        // The read-modify-write primitive works with the running program's rights: lend it those of the processor.
        ulong tag = s->DataTag;
        s->DataTag = s->SystemTag;
        byte* p = Mem.BeginModifyLinear<byte>(s, linear + 5);
        Flow flow = Flow.Abort;
        if (p != null)
        {
            byte old;
            do
            {
                old = *p;
            }
            while (!Atomic.CompareExchange(p, old, (byte)((old & ~clear) | set)));
            flow = Mem.EndModify(s, p);
        }

        s->DataTag = tag;
        return flow != Flow.Abort;
    }
}
