using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>Loading of data and stack segment registers, with every check. [SDM2 MOV] [APM2 4.11] [SDM3 5.6, 5.7]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class Segments
{
    public static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>Protected mode outside virtual-8086 mode: selectors select descriptors.</summary>
    public static bool UsesDescriptors(CpuState* s) => (s->Mode & (ModeKey.Protected | ModeKey.Virtual8086)) == ModeKey.Protected;

    public static bool IsCode64(CpuState* s) => (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;

    public static bool IsLongMode(CpuState* s) => (s->Efer & Efer.LMA) != 0;

    /// <summary>
    /// Loads ES, SS, DS, FS or GS. <see cref="Flow.Next"/>: nothing changed that decoded code depends on; <see cref="Flow.End"/>: the mode was
    /// recomputed; <see cref="Flow.Abort"/>: a fault, and the register is as it was.
    /// </summary>
    public static Flow Load(CpuState* s, int segment, ushort selector)
    {
        if (!Check(s, segment, selector, out SegmentRegister value))
        {
            return Flow.Abort;
        }

        return Commit(s, segment, in value);
    }

    /// <summary>Everything a load checks and reads, without the load; false: the fault is set. Instructions that write something else too ask first.</summary>
    public static bool Check(CpuState* s, int segment, ushort selector, out SegmentRegister value)
    {
        SegmentRegister* r = &s->Es + segment;
        if (!UsesDescriptors(s))
        {
            value = RealMode(in *r, selector);
            return true;
        }

        if (IsNull(selector))
        {
            value = Null(in *r, selector);
            if (segment == Segment.Ss && !(IsCode64(s) && s->Cpl != 3 && (selector & 3) == s->Cpl))
            {
                Fault.Gp(s, 0);
                return false;
            }

            return true;
        }

        return segment == Segment.Ss
            ? CheckStack(s, selector, s->Cpl, Vector.GP, 0, out value)
            : CheckData(s, selector, Vector.GP, 0, out value);
    }

    /// <summary>
    /// A stack segment for privilege level <paramref name="cpl"/>: writable data with RPL and DPL equal to it. Else <paramref name="vector"/> (#GP or #TS)
    /// with the selector, or #SS when it is not present; <paramref name="ext"/> is ORed to error codes. Not for null selectors.
    /// </summary>
    public static bool CheckStack(CpuState* s, ushort selector, int cpl, Vector vector, uint ext, out SegmentRegister value)
    {
        value = default;
        uint error = (selector & 0xFFFCu) | ext;
        if (!DescriptorTable.Read(s, selector, vector, error, out Descriptor d))
        {
            return false;
        }

        if ((selector & 3) != cpl || !d.IsWritableData || d.Dpl != cpl)
        {
            Fault.Raise(s, vector, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Ss(s, error);
            return false;
        }

        value = d.ToRegister(selector);
        return DescriptorTable.SetAccessed(s, selector, d);
    }

    /// <summary>A data segment: data or readable code, visible at this CPL and RPL. Not for null selectors.</summary>
    public static bool CheckData(CpuState* s, ushort selector, Vector vector, uint ext, out SegmentRegister value)
    {
        value = default;
        uint error = (selector & 0xFFFCu) | ext;
        if (!DescriptorTable.Read(s, selector, vector, error, out Descriptor d))
        {
            return false;
        }

        bool conformingCode = d.IsCode && d.IsConforming;
        if (!d.IsReadable || (!conformingCode && ((selector & 3) > d.Dpl || s->Cpl > d.Dpl)))
        {
            Fault.Raise(s, vector, error);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, error);
            return false;
        }

        value = d.ToRegister(selector);
        return DescriptorTable.SetAccessed(s, selector, d);
    }

    /// <summary>Makes a checked value the register.</summary>
    public static Flow Commit(CpuState* s, int segment, in SegmentRegister value)
    {
        SegmentRegister* r = &s->Es + segment;
        bool same = r->Base == value.Base && r->Limit == value.Limit && r->Attributes == value.Attributes && r->Unusable == value.Unusable;
        *r = value;

        // 64-bit code depends on none of them (FS and GS bases are read at each access), other code on DS, ES and SS.
        if (same || IsCode64(s))
        {
            return Flow.Next;
        }

        if (segment >= Segment.Fs)
        {
            SegmentEnds.Update(s, segment);
            return Flow.Next;
        }

        Processor.UpdateMode(s);
        return Flow.End;
    }

    /// <summary>Real and virtual-8086 mode: the base is the selector times 16; limit and attributes stay, which makes big real mode. [SDM3 20.1.1]</summary>
    public static SegmentRegister RealMode(in SegmentRegister old, ushort selector)
    {
        SegmentRegister value = old;
        value.Selector = selector;
        value.Base = (ulong)selector << 4;
        if (!old.IsUsable)
        {
            value.Unusable = 0;
            value.Attributes = SegmentRegister.P | SegmentRegister.S | SegmentRegister.Writable | SegmentRegister.Accessed;
        }

        return value;
    }

    /// <summary>What a null selector leaves: unusable, without attributes; base and limit stay, as on AMD processors (Intel's clear the base). [APM2 4.5.1]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SegmentRegister Null(in SegmentRegister old, ushort selector)
    {
        SegmentRegister value = old;
        value.Selector = selector;
        value.Attributes = 0;
        value.Unusable = 1;
        return value;
    }

    /// <summary>A flat segment as SYSCALL, SYSENTER and their returns make it without reading a descriptor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SegmentRegister Flat(int selector, int attributes) => new()
    {
        Limit = uint.MaxValue,
        Selector = (ushort)selector,
        Attributes = (ushort)(attributes | SegmentRegister.G | SegmentRegister.P | SegmentRegister.S),
    };

    /// <summary>A segment of virtual-8086 mode as IRET and task switches make it. [SDM3 20.2.1]</summary>
    public static SegmentRegister Virtual8086(ushort selector) => new()
    {
        Base = (ulong)selector << 4,
        Limit = 0xFFFF,
        Selector = selector,
        Attributes = SegmentRegister.P | SegmentRegister.S | SegmentRegister.Writable | SegmentRegister.Accessed | (3 << SegmentRegister.DplShift),
    };

    /// <summary>
    /// On a return to an outer level: data segments that the new privilege may not use become null. [SDM2 RET] [APM2 4.11.3]
    /// </summary>
    public static void Nullify(CpuState* s, int cpl)
    {
        NullifyOne(&s->Es, cpl);
        NullifyOne(&s->Ds, cpl);
        NullifyOne(&s->Fs, cpl);
        NullifyOne(&s->Gs, cpl);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void NullifyOne(SegmentRegister* r, int cpl)
    {
        bool conformingCode = (r->Attributes & (SegmentRegister.Code | SegmentRegister.Conforming)) == (SegmentRegister.Code | SegmentRegister.Conforming);
        if (r->IsUsable && r->Dpl < cpl && !conformingCode)
        {
            *r = Null(in *r, 0);
        }
    }
}
