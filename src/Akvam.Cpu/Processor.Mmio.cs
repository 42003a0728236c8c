using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed.</remarks>
public sealed unsafe partial class Processor
{
    /// <summary>Reads where there is no RAM. False: user space has to supply the data, the instruction is aborted and executed again afterwards.</summary>
    internal bool ReadMmio(ulong gpa, Span<byte> data) => !IsStopped(gpa, write: false) && Pending.ReadMmio(State, gpa, data);

    /// <summary>
    /// Writes where there is no writable RAM; what nobody inside takes is left for user space, after the instruction. A device that asks for something (an interrupt to
    /// itself, an exit at the end of one) is served before the next instruction, too.
    /// </summary>
    internal Flow WriteMmio(ulong gpa, ReadOnlySpan<byte> data) =>
        IsStopped(gpa, write: true) ? Flow.Abort
        : Pending.WriteMmio(State, gpa, data) || Volatile.Read(ref State->Requests) != 0 ? Flow.End : Flow.Next;

    private bool IsStopped(ulong gpa, bool write)
    {
        if (!Bus.StopsAt(gpa, write))
        {
            return false;
        }

        State->Abort = AbortReason.Interrupted;
        return true;
    }
}
