using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>From effective to linear address outside flat addressing: base, limit, type and presence. [APM2 4.7] [SDM3 5.3]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class SegmentCheck
{
    /// <summary>ES, SS and DS: the ones that <see cref="ModeKey.FlatData"/> speaks of.</summary>
    private const int FlatSegments = (1 << Segment.Es) | (1 << Segment.Ss) | (1 << Segment.Ds);

    /// <summary>Turns the raw effective address of the memory operand into <see cref="CpuState.SegmentLinear"/>; false: the fault is set.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Operand(CpuState* s, Insn* i, ulong address, int size, AccessKind kind)
    {
        address &= Mem.AddressMask(i->Flags);
        bool done = Linear(s, i->Segment, size, kind, ref address);
        s->SegmentLinear = address;
        return done;
    }

    /// <summary>The same on a variable, for handlers that compute the effective address in their own way.</summary>
    public static bool Linear(CpuState* s, Insn* i, int size, AccessKind kind, ref ulong address)
    {
        bool done = Operand(s, i, address, size, kind);
        address = s->SegmentLinear;
        return done;
    }

    /// <summary>Adds the base of segment register <paramref name="segment"/> to an offset and checks the access; false: the fault is set.</summary>
    public static bool Linear(CpuState* s, int segment, int size, AccessKind kind, ref ulong address)
    {
        if ((s->Mode & ModeKey.FlatData) != 0 && ((FlatSegments >> segment) & 1) != 0 && (uint)address <= uint.MaxValue - (uint)(size - 1))
        {
            address = (uint)address;
            return true;
        }

        SegmentRegister* r = &s->Es + segment;
        if ((s->Mode & ModeKey.BitnessMask) == ModeKey.Code64)
        {
            // Only FS and GS have a base, and there are no limits; the canonical check is made where the TLB misses, but needs the segment. [APM2 4.8.1]
            if (segment >= Segment.Fs)
            {
                address += r->Base;
            }

            return Canonical.Is(s, address) && Canonical.Is(s, address + (ulong)size - 1) || Raise(s, segment, 0);
        }

        ulong offset = (uint)address;
        ulong last = offset + (ulong)size - 1;
        if (!s->Mode.HasFlag(ModeKey.Protected) || s->Mode.HasFlag(ModeKey.Virtual8086))
        {
            // Big real mode: the cached limit rules, and neither type nor presence is looked at. [SDM3 20.1.1]
            if (last > r->Limit)
            {
                return Raise(s, segment, 0);
            }
        }
        else
        {
            if (!r->IsUsable || !r->IsPresent)
            {
                return Raise(s, segment, 0);
            }

            int type = r->Type;
            bool code = (type & SegmentRegister.Code) != 0;
            bool allowed = kind switch
            {
                AccessKind.Write => !code && (type & SegmentRegister.Writable) != 0,
                AccessKind.Read => !code || (type & SegmentRegister.Readable) != 0,
                _ => code,
            };
            if (!allowed)
            {
                return Raise(s, segment, 0);
            }

            if (!code && (type & SegmentRegister.ExpandDown) != 0)
            {
                // Expand-down: valid above the limit, up to 64 KiB or 4 GiB. [SDM3 5.3]
                ulong top = r->IsBig ? 0xFFFF_FFFF : 0xFFFF;
                if (offset <= r->Limit || last > top)
                {
                    return Raise(s, segment, 0);
                }
            }
            else if (last > r->Limit)
            {
                return Raise(s, segment, 0);
            }
        }

        address = (uint)(offset + r->Base);
        return true;
    }

    private static bool Raise(CpuState* s, int segment, uint error)
    {
        if (segment == Segment.Ss)
        {
            Fault.Ss(s, error);
        }
        else
        {
            Fault.Gp(s, error);
        }

        return false;
    }
}
