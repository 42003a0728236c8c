using Akvam.Cpu;

namespace Akvam.Isa.Tests;

/// <summary>A bus with nothing on it: ports and MMIO are left to user space, interrupts come from a queue.</summary>
internal sealed class TestBus : IProcessorBus
{
    public Queue<byte> Interrupts { get; } = new();

    public bool HasInterrupt => Interrupts.Count != 0;

    public byte TaskPriority { get; set; }

    public bool HandlesHalt => true;

    /// <summary>Serves reads of physical memory that is not there inside the run, with zeros; null: user space does.</summary>
    public Func<ulong, bool>? MmioRead { get; set; }

    public bool ReadMmio(ulong address, Span<byte> data)
    {
        data.Clear();
        return MmioRead?.Invoke(address) ?? false;
    }

    /// <summary>Serves writes to physical memory that is not there inside the run; null: user space does.</summary>
    public Func<ulong, bool>? MmioWrite { get; set; }

    public bool WriteMmio(ulong address, ReadOnlySpan<byte> data) => MmioWrite?.Invoke(address) ?? false;

    /// <summary>Serves reads of ports inside the run, null: not this one; or null: user space does.</summary>
    public Func<ushort, uint?>? PortRead { get; set; }

    public bool ReadPort(ushort port, int size, out uint value)
    {
        uint? answer = PortRead?.Invoke(port);
        value = answer.GetValueOrDefault();
        return answer.HasValue;
    }

    /// <summary>Serves writes to ports inside the run; null: user space does.</summary>
    public Func<ushort, uint, bool>? PortWrite { get; set; }

    public bool WritePort(ushort port, int size, uint value) => PortWrite?.Invoke(port, value) ?? false;

    public int AcknowledgeInterrupt() => Interrupts.TryDequeue(out byte vector) ? vector : -1;

    public MsrAccess ReadMsr(uint index, out ulong value)
    {
        value = 0;
        return MsrAccess.Fault;
    }

    public MsrAccess WriteMsr(uint index, ulong value) => MsrAccess.Fault;

    public ulong ReadTsc() => 0;

    public ulong NextRandom() => 4;

    public bool Hypercall(Processor processor) => false;
}
