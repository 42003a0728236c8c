using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>The bitmaps by which L1 says which ports and MSRs it intercepts. They are read at every access. [APM2 15.10] [APM2 15.11]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class PermissionMaps
{
    private const uint MsrsPerRange = 0x2000;
    private const ulong RangeBytes = 0x800;

    /// <summary>True when one of the ports from <paramref name="port"/> on is intercepted, or the map cannot be read.</summary>
    public static bool Intercepts(CpuState* s, VmcbControl* c, ushort port, int size)
    {
        // An access at the end of a byte, or of all ports, goes on in the next one: the map has one byte more than ports.
        ushort bits;
        return !PhysicalAccess.Read(s, c->IopmBase + ((ulong)port >> 3), &bits, sizeof(ushort)) || (bits >> (port & 7) & ((1 << size) - 1)) != 0;
    }

    /// <summary>True when reading (or writing) the MSR is intercepted: what no map covers always is.</summary>
    public static bool Intercepts(CpuState* s, VmcbControl* c, uint msr, bool write)
    {
        ulong? range = msr switch
        {
            < MsrsPerRange => 0,
            >= 0xC000_0000 and < 0xC000_0000 + MsrsPerRange => 1,
            >= 0xC001_0000 and < 0xC001_0000 + MsrsPerRange => 2,
            _ => null,
        };
        if (range is not { } number)
        {
            return true;
        }

        uint bit = ((msr & (MsrsPerRange - 1)) * 2) + (write ? 1u : 0);
        byte bits;
        return !PhysicalAccess.Read(s, c->MsrpmBase + (number * RangeBytes) + (bit >> 3), &bits, 1) || (bits >> (int)(bit & 7) & 1) != 0;
    }
}
