namespace Akvam.Cpu;

/// <summary>
/// How a processor meets the rest of the machine: accesses that are not plain RAM, ports, interrupt acknowledge, time and randomness.
/// Called on the thread that runs the processor.
/// </summary>
public interface IProcessorBus
{
    /// <summary>See <see cref="Paused"/>.</summary>
    const uint PausesTold = 64;

    /// <summary>Reads from a physical address without RAM. False: nobody inside serves it, so user space has to.</summary>
    bool ReadMmio(ulong address, Span<byte> data);

    /// <summary>Writes to a physical address without RAM (or to read-only memory). False: user space has to.</summary>
    bool WriteMmio(ulong address, ReadOnlySpan<byte> data);

    /// <summary>
    /// True when the access to an address without RAM shall not happen yet: its instruction is left undone, for the request that came with this call.
    /// </summary>
    bool StopsAt(ulong address, bool write) => false;

    /// <summary>Reads a port of 1, 2 or 4 bytes. False: user space has to.</summary>
    bool ReadPort(ushort port, int size, out uint value);

    bool WritePort(ushort port, int size, uint value);

    /// <summary>True when user space may want to hear of writes to this port one by one, by their values.</summary>
    bool WatchesPort(ushort port) => false;

    /// <summary>True when an interrupt controller has an interrupt that its priority rules let through now.</summary>
    bool HasInterrupt { get; }

    /// <summary>Acknowledges that interrupt; the vector, or -1 when it went away.</summary>
    int AcknowledgeInterrupt();

    /// <summary>CR8: bits 7:4 of the task priority.</summary>
    byte TaskPriority { get; set; }

    /// <summary>Reads an MSR that the processor does not keep itself (APIC base, x2APIC, TSC deadline, paravirtual ones).</summary>
    MsrAccess ReadMsr(uint index, out ulong value);

    MsrAccess WriteMsr(uint index, ulong value);

    /// <summary>The host's count of the guest's TSC clock, before the guest's own offset.</summary>
    ulong ReadTsc();

    /// <summary>RDPMC of a counter that the processor does not have. False: nor is there one outside.</summary>
    bool ReadCounter(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    /// <summary>64 random bits for RDRAND and RDSEED.</summary>
    ulong NextRandom();

    /// <summary>True when HLT is handled inside (an in-kernel LAPIC can wake the processor); false: HLT is an exit to user space.</summary>
    bool HandlesHalt { get; }

    /// <summary>The guest has executed <see cref="PausesTold"/> PAUSE instructions since the last call: it may be waiting for something, and does not mind if the host sleeps.</summary>
    void Paused()
    {
    }

    /// <summary>VMCALL or VMMCALL outside nested guests; false: no hypervisor interface, the instruction raises #UD. [KVM hypercalls.rst]</summary>
    bool Hypercall(Processor processor);

    /// <summary>The processor has taken an INIT: what belongs to it outside (its local APIC) is reset too.</summary>
    void Initialized()
    {
    }

    /// <summary>The offset of the guest's TSC was changed: deadlines and clocks that count with it are measured again.</summary>
    void TscChanged()
    {
    }
}
