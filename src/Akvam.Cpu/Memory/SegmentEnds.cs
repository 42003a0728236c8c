using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>
/// For code that is not 64-bit code: the offset at which a segment ends for reads and for writes, 0 when it cannot be said so simply or nothing is allowed. An access
/// that does not go beyond needs no other check of <see cref="SegmentCheck"/>; one that does has to be looked at there.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class SegmentEnds
{
    private const int Segments = 6;

    public static void UpdateAll(CpuState* s)
    {
        for (int segment = 0; segment < Segments; segment++)
        {
            Update(s, segment);
        }
    }

    /// <summary>Call after a segment register changed.</summary>
    public static void Update(CpuState* s, int segment)
    {
        SegmentRegister* r = &s->Es + segment;
        ulong end = (ulong)r->Limit + 1;
        if ((s->Mode & (ModeKey.Protected | ModeKey.Virtual8086)) != ModeKey.Protected)
        {
            s->ReadEnds[segment] = s->WriteEnds[segment] = end;
            return;
        }

        bool code = (r->Attributes & SegmentRegister.Code) != 0, allowing = (r->Attributes & SegmentRegister.Writable) != 0;
        end = !r->IsUsable || !r->IsPresent || (!code && (r->Attributes & SegmentRegister.ExpandDown) != 0) ? 0 : end;
        s->ReadEnds[segment] = code && !allowing ? 0 : end;
        s->WriteEnds[segment] = code || !allowing ? 0 : end;
    }
}
