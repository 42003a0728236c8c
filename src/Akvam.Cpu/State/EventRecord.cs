namespace Akvam.Cpu.State;

/// <summary>An event on its way through the IDT, with all that is needed to start its delivery again.</summary>
public struct EventRecord
{
    public EventKind Kind;
    public Vector Vector;
    public bool HasErrorCode;
    public uint ErrorCode;

    /// <summary>CR2 for #PF, the DR6 bits for #DB.</summary>
    public ulong Payload;

    /// <summary>RIP of the instruction after INT n, INT3, INTO and INT1; unused for other kinds.</summary>
    public ulong NextRip;

    public readonly bool IsSoftware => Kind >= EventKind.Software;
}
