namespace Akvam.Devices;

/// <summary>The fields of struct kvm_pit_state2.</summary>
public record struct PitState
{
    /// <summary>Channel 0 is silent because an HPET replaces it.</summary>
    public const uint KVM_PIT_FLAGS_HPET_LEGACY = 1;

    /// <summary>Port 0x61 bit 1.</summary>
    public const uint KVM_PIT_FLAGS_SPEAKER_DATA_ON = 2;

    public PitChannelState Channel0;
    public PitChannelState Channel1;
    public PitChannelState Channel2;
    public uint Flags;
}
