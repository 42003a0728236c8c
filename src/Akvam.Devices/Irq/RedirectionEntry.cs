namespace Akvam.Devices;

/// <summary>One entry of the IOAPIC's redirection table [82093AA 3.2.4].</summary>
internal readonly record struct RedirectionEntry(ulong Value)
{
    public const ulong DeliveryStatus = 1 << 12;
    public const ulong RemoteIrr = 1 << 14;
    public const ulong Level = 1 << 15;
    public const ulong Masked = 1 << 16;

    public byte Vector => (byte)Value;

    public bool IsMasked => (Value & Masked) != 0;

    public bool IsLevel => (Value & Level) != 0;

    public bool HasRemoteIrr => (Value & RemoteIrr) != 0;

    /// <summary>The message this entry sends. NMI, SMI, INIT and ExtINT are edges whatever the trigger bit says.</summary>
    public ApicMessage ToMessage(bool wide) => new()
    {
        Destination = (uint)(Value >> 56),
        Mode = (DeliveryMode)((Value >> 8) & 7),
        Vector = Vector,
        Logical = (Value & (1 << 11)) != 0,
        LevelTriggered = IsLevel,
        Assert = true,
        Wide = wide,
    };
}
