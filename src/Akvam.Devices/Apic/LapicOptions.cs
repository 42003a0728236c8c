namespace Akvam.Devices;

/// <summary>What a local APIC offers; fixed when it is made.</summary>
public sealed record LapicOptions
{
    public static LapicOptions Default { get; } = new();

    /// <summary>Nanoseconds of one timer bus cycle; KVM's bus runs at 1 GHz [KVM 8.39 KVM_CAP_X86_APIC_BUS_CYCLES_NS].</summary>
    public uint BusCycleNs { get; init; } = 1;

    /// <summary>EOI broadcast suppression (version register bit 24, SVR bit 12); needs an IOAPIC with an EOI register.</summary>
    public bool DirectedEoi { get; init; }

    /// <summary>The boot processor's LINT0 leaves reset as unmasked ExtINT (KVM_X86_QUIRK_LINT0_REENABLED), so the 8259 works at once.</summary>
    public bool Lint0ExtIntAtReset { get; init; } = true;

    /// <summary>Shortest period of a periodic timer; KVM's min_timer_period_us is 200.</summary>
    public ulong MinimumPeriodNs { get; init; } = 200_000;
}
