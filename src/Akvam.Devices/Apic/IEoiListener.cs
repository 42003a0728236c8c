namespace Akvam.Devices;

/// <summary>Sees the EOI messages of local APICs: an IOAPIC, or a VM whose IOAPIC is in user space (KVM_EXIT_IOAPIC_EOI).</summary>
public interface IEoiListener
{
    /// <summary>Quick filter, asked before every message; any thread.</summary>
    bool HandlesVector(byte vector);

    /// <summary>A processor finished <paramref name="vector"/>. Runs on the processor's thread, no device lock held.</summary>
    /// <param name="source">The APIC that was written to.</param>
    /// <param name="vector">The vector that left the in-service register.</param>
    /// <param name="levelTriggered">Its trigger mode bit.</param>
    /// <param name="broadcastSuppressed">The EOI message is withheld (SVR bit 12) [SDM3 10.8.5]; the IOAPIC gets its own EOI later.</param>
    void Eoi(Lapic source, byte vector, bool levelTriggered, bool broadcastSuppressed);
}
