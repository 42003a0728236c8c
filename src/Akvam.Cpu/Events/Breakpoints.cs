using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>Address breakpoints of DR0-DR3. [SDM3 18.2] [APM2 13.1]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class Breakpoints
{
    private const int Execute = 0, WriteOnly = 1, Io = 2, ReadWrite = 3;

    /// <summary>Recomputes what DR7 arms; to be called after every change of DR7.</summary>
    public static void Arm(CpuState* s)
    {
        s->CodeBreakpoints = 0;
        s->DataBreakpoints = 0;
        for (int n = 0; n < 4; n++)
        {
            if ((s->Dr7 >> (2 * n) & 3) == 0)
            {
                continue;
            }

            if (Kind(s, n) == Execute)
            {
                s->CodeBreakpoints = 1;
            }
            else if (Kind(s, n) != Io)
            {
                s->DataBreakpoints = 1;
            }
        }

        TlbControl.UpdateTags(s);
    }

    /// <summary>DR6 bits of the armed data breakpoints that an access touches.</summary>
    public static uint MatchData(CpuState* s, ulong linear, int size, AccessKind kind)
    {
        uint hit = 0;
        for (int n = 0; n < 4; n++)
        {
            int type = Kind(s, n);
            if ((s->Dr7 >> (2 * n) & 3) != 0 && (type == ReadWrite || (type == WriteOnly && kind == AccessKind.Write)))
            {
                ulong length = Length(s, n), start = s->Dr[n] & ~(length - 1);
                hit |= linear < start + length && start < linear + (ulong)size ? 1u << n : 0;
            }
        }

        return hit;
    }

    /// <summary>DR6 bits of the armed instruction breakpoints at <paramref name="linear"/>.</summary>
    public static uint MatchCode(CpuState* s, ulong linear)
    {
        uint hit = 0;
        for (int n = 0; n < 4; n++)
        {
            hit |= (s->Dr7 >> (2 * n) & 3) != 0 && Kind(s, n) == Execute && s->Dr[n] == linear ? 1u << n : 0;
        }

        return hit;
    }

    /// <summary>DR6 bits of the armed I/O breakpoints (CR4.DE) that a port access touches.</summary>
    public static uint MatchPort(CpuState* s, ushort port, int size)
    {
        uint hit = 0;
        for (int n = 0; n < 4 && (s->Cr4 & Cr4.DE) != 0; n++)
        {
            if ((s->Dr7 >> (2 * n) & 3) != 0 && Kind(s, n) == Io)
            {
                ulong length = Length(s, n), start = s->Dr[n] & ~(length - 1);
                hit |= port < start + length && start < port + (ulong)size ? 1u << n : 0;
            }
        }

        return hit;
    }

    private static int Kind(CpuState* s, int n) => (int)(s->Dr7 >> (16 + (4 * n))) & 3;

    private static ulong Length(CpuState* s, int n) => (s->Dr7 >> (18 + (4 * n)) & 3) switch
    {
        0 => 1,
        1 => 2,
        2 => 8,
        _ => 4,
    };
}
