namespace Akvam.Cpu.State;

/// <summary>An exception as a value: what the instruction raised and what its delivery needs.</summary>
public struct FaultRecord
{
    public Vector Vector;
    public bool HasErrorCode;
    public uint ErrorCode;

    /// <summary>CR2 for #PF, the DR6 bits for #DB.</summary>
    public ulong Payload;
}
