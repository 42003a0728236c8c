using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>What the processor reads from the current TSS outside task switches. [SDM3 7.2, 7.7] [APM2 12.2]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class TaskState
{
    /// <summary>Offset of the I/O map base in a 32-bit or 64-bit TSS.</summary>
    public const int IoMapBase = 0x66;

    /// <summary>SS:SP for an inner privilege level from a 16- or 32-bit TSS, checked; false: the fault is set.</summary>
    public static bool InnerStack(CpuState* s, int cpl, uint ext, out SegmentRegister ss, out uint sp)
    {
        ss = default;
        sp = 0;
        bool wide = (s->Tr.Type & 8) != 0;
        uint offset = wide ? ((uint)cpl * 8) + 4 : ((uint)cpl * 4) + 2;
        if (offset + (wide ? 5u : 3u) > s->Tr.Limit)
        {
            Fault.Ts(s, (s->Tr.Selector & 0xFFFCu) | ext);
            return false;
        }

        ushort selector;
        ulong linear = (uint)(s->Tr.Base + offset);
        if (wide)
        {
            if (!Mem.LoadSystem(s, linear, out sp) || !Mem.LoadSystem(s, (uint)(linear + 4), out selector))
            {
                return false;
            }
        }
        else
        {
            if (!Mem.LoadSystem(s, linear, out uint pair))
            {
                return false;
            }

            sp = pair & 0xFFFF;
            selector = (ushort)(pair >> 16);
        }

        if (Segments.IsNull(selector))
        {
            Fault.Ts(s, ext);
            return false;
        }

        return Segments.CheckStack(s, selector, cpl, Vector.TS, ext, out ss);
    }

    /// <summary>A stack pointer from a 64-bit TSS: RSP0-2 or IST1-7; false: the fault is set.</summary>
    public static bool LongStack(CpuState* s, int offset, uint ext, out ulong rsp)
    {
        if ((uint)offset + 7 > s->Tr.Limit)
        {
            rsp = 0;
            Fault.Ts(s, (s->Tr.Selector & 0xFFFCu) | ext);
            return false;
        }

        return Mem.LoadSystem(s, s->Tr.Base + (ulong)offset, out rsp);
    }

    /// <summary>
    /// Whether the interrupt redirection bitmap, the 32 bytes below the I/O map, sends INT <paramref name="vector"/> to the 8086 program: its bit is clear.
    /// [SDM3 20.3.3]. A TSS too small for the bitmap redirects nothing.
    /// </summary>
    public static bool IsRedirected(CpuState* s, byte vector, out bool aborted)
    {
        aborted = false;
        if ((s->Tr.Type & 8) == 0 || s->Tr.Limit < IoMapBase + 1)
        {
            return false;
        }

        if (!Mem.LoadSystem(s, DescriptorTable.Linear(s, s->Tr.Base + IoMapBase), out ushort map))
        {
            aborted = true;
            return false;
        }

        long offset = map - 32 + (vector / 8);
        if (offset < 0 || offset > s->Tr.Limit)
        {
            return false;
        }

        if (!Mem.LoadSystem(s, DescriptorTable.Linear(s, s->Tr.Base + (ulong)offset), out byte bits))
        {
            aborted = true;
            return false;
        }

        return (bits & (1 << (vector & 7))) == 0;
    }
}
