using Akvam.Cpu;

namespace Akvam.Tests.Cpu;

/// <summary>A bus with nothing on it but a queue of interrupts.</summary>
internal sealed class QuietBus : IProcessorBus
{
    public Queue<byte> Interrupts { get; } = new();

    public bool HasInterrupt => Interrupts.Count != 0;

    public byte TaskPriority { get; set; }

    public bool HandlesHalt => true;

    public bool ReadMmio(ulong address, Span<byte> data) => false;

    public bool WriteMmio(ulong address, ReadOnlySpan<byte> data) => false;

    public bool ReadPort(ushort port, int size, out uint value)
    {
        value = 0;
        return false;
    }

    public bool WritePort(ushort port, int size, uint value) => false;

    public int AcknowledgeInterrupt() => Interrupts.TryDequeue(out byte vector) ? vector : -1;

    public MsrAccess ReadMsr(uint index, out ulong value)
    {
        value = 0;
        return MsrAccess.Fault;
    }

    public MsrAccess WriteMsr(uint index, ulong value) => MsrAccess.Fault;

    public ulong ReadTsc() => 0;

    public ulong NextRandom() => 0;

    public bool Hypercall(Processor processor) => false;
}
