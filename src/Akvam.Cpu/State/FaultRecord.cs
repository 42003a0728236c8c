namespace Akvam.Cpu.State;

/// <summary>An exception as a value: what the instruction raised and what its delivery needs.</summary>
public struct FaultRecord
{
    public Vector Vector;
    public bool HasErrorCode;

    /// <summary>A #PF only because of address bits that the guest's processor does not have and Akvam's does.</summary>
    public bool BeyondAddresses;

    public uint ErrorCode;

    /// <summary>CR2 for #PF, the DR6 bits for #DB.</summary>
    public ulong Payload;
}
