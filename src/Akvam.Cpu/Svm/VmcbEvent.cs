using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>
/// EVENTINJ and EXITINTINFO: vector 7:0, type 10:8, error code valid 11, valid 31, error code 63:32. [APM2 15.20]
/// </summary>
internal static class VmcbEvent
{
    private const ulong HasErrorCode = 1 << 11, Valid = 1ul << 31;
    private const int External = 0, Nmi = 2, Exception = 3, Software = 4;

    /// <summary>Bits that mean something; the others of EVENTINJ are ignored.</summary>
    public const ulong Defined = 0xFFFF_FFFF_8000_0FFF;

    public static bool IsValid(ulong e) => (e & Valid) != 0;

    /// <summary>False for a type that is reserved, and for an exception that does not exist. [APM2 15.20]</summary>
    public static bool IsWellFormed(ulong e)
    {
        int vector = (byte)e;
        return Type(e) switch
        {
            External or Nmi or Software => true,
            Exception => vector < 32 && vector is not (2 or 9 or 15 or (>= 20 and <= 28) or 31),
            _ => false,
        };
    }

    /// <summary>The event to deliver; <paramref name="nextRip"/> is the return address of one that an instruction would have raised.</summary>
    public static EventRecord ToRecord(ulong e, ulong nextRip)
    {
        var vector = (Vector)(byte)e;
        return new EventRecord
        {
            Kind = Type(e) switch
            {
                External => EventKind.External,
                Nmi => EventKind.Nmi,
                Software => EventKind.Software,
                _ => vector is Vector.BP or Vector.OF ? EventKind.SoftwareException : EventKind.Exception,
            },
            Vector = Type(e) == Nmi ? Vector.NMI : vector,
            HasErrorCode = (e & HasErrorCode) != 0 && Type(e) == Exception,
            ErrorCode = (uint)(e >> 32),
            NextRip = nextRip,
        };
    }

    /// <summary>0 when nothing was being delivered.</summary>
    public static ulong Of(in EventRecord r)
    {
        if (r.Kind == EventKind.None)
        {
            return 0;
        }

        int type = r.Kind switch
        {
            EventKind.External => External,
            EventKind.Nmi => Nmi,
            EventKind.Software => Software,
            _ => Exception,
        };
        return Valid | (byte)r.Vector | ((ulong)type << 8) | (r.HasErrorCode ? HasErrorCode | ((ulong)r.ErrorCode << 32) : 0);
    }

    private static int Type(ulong e) => (int)(e >> 8) & 7;
}
