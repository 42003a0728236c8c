namespace Akvam.Devices;

/// <summary>One interrupt message: from an ICR, an IOAPIC entry or a message signalled interrupt.</summary>
public readonly record struct ApicMessage
{
    /// <summary>Destination as the sender wrote it: 8 bits, or 32 when <see cref="Wide"/>.</summary>
    public required uint Destination { get; init; }

    public required DeliveryMode Mode { get; init; }

    public required byte Vector { get; init; }

    /// <summary>Destination is a logical one.</summary>
    public bool Logical { get; init; }

    /// <summary>Trigger mode bit: level when true, edge otherwise.</summary>
    public bool LevelTriggered { get; init; }

    /// <summary>False only for a level de-assert, which nobody but INIT's history needs and every receiver drops.</summary>
    public bool Assert { get; init; }

    /// <summary>MSI redirection hint: any one of the addressed processors will do [SDM3 10.11.1].</summary>
    public bool RedirectionHint { get; init; }

    /// <summary>The destination is an x2APIC one: 0xFF is then a processor and only 0xFFFFFFFF is everybody.</summary>
    public bool Wide { get; init; }

    /// <summary>One receiver, chosen by priority, instead of all that match.</summary>
    public bool IsLowestPriority => Mode == DeliveryMode.LowestPriority || RedirectionHint;
}
