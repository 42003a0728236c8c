namespace Akvam.Devices;

/// <content>Is a message meant for this APIC? [SDM3 10.6.2, 10.12.10]</content>
public sealed partial class Lapic
{
    /// <summary>Takes part in lowest-priority arbitration.</summary>
    internal bool CanArbitrate => IsEnabled && IsSoftwareEnabled;

    internal bool Matches(in ApicMessage message)
    {
        uint destination = message.Destination;
        if (destination == uint.MaxValue || (!message.Wide && destination == 0xFF))
        {
            return true;
        }

        return message.Logical ? MatchesLogical(destination) : MatchesPhysical(destination);
    }

    private bool MatchesPhysical(uint destination)
    {
        if (IsX2Apic || InitialId > 0xFF)
        {
            // A processor whose id does not fit xAPIC's 8 bits is still reachable while it has not switched over.
            return destination == InitialId;
        }

        return destination == Get(LapicRegister.Id) >> 24;
    }

    private bool MatchesLogical(uint destination)
    {
        uint ldr = Get(LapicRegister.Ldr);
        if (IsX2Apic)
        {
            return destination >> 16 == ldr >> 16 && (destination & ldr & 0xFFFF) != 0;
        }

        if (destination > 0xFF)
        {
            return false;
        }

        uint id = ldr >> 24;
        return (Get(LapicRegister.Dfr) >> 28) switch
        {
            0xF => (destination & id) != 0,
            0x0 => destination >> 4 == id >> 4 && (destination & id & 0xF) != 0,
            _ => false,
        };
    }
}
