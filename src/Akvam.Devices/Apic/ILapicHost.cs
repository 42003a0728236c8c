namespace Akvam.Devices;

/// <summary>What a local APIC tells its processor: set a request bit and, if the processor sleeps, wake it.</summary>
/// <remarks>
/// Called from any thread, sometimes with a lock of the sending device held: an implementation sets bits and wakes, and never
/// calls back into a device, blocks or throws. The processor looks at what is pending on its own thread.
/// </remarks>
public interface ILapicHost
{
    /// <summary><see cref="Lapic.HasInterrupt"/> may have become true.</summary>
    void InterruptPending();

    /// <summary><see cref="Irqchip.HasExtInt"/> may have become true: the 8259 pair drives INTR, or an ExtINT message arrived.</summary>
    void ExtInt();

    void Nmi();

    void Smi();

    void Init();

    /// <param name="vector">The start page: CS base = vector × 4096.</param>
    void Sipi(byte vector);
}
