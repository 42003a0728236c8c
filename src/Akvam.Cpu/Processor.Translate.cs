using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed; only while no thread runs it.</remarks>
public sealed unsafe partial class Processor
{
    /// <summary>Where a supervisor's read of a linear address would go. As with such a read, accessed bits are set. False: it would fault.</summary>
    public bool TryTranslate(ulong linear, out ulong gpa)
    {
        FaultRecord fault = State->Fault;
        AbortReason abort = State->Abort;
        bool found = PageWalker.Translate(State, linear, AccessKind.Read, TlbTag.SupervisorAc, out PageWalk walk);
        State->Fault = fault;
        State->Abort = abort;
        gpa = walk.Gpa;
        return found;
    }

    /// <summary>The length that code has by default: 0 for 16 bits, 1 for 32, 2 for 64.</summary>
    internal int CodeSize => (int)(State->Mode & ModeKey.BitnessMask);

    /// <summary>The bytes at RIP, as many as can be fetched from memory. As with a fetch, accessed bits are set.</summary>
    public int ReadCode(Span<byte> bytes)
    {
        const int PageSize = 4096;
        FaultRecord fault = State->Fault;
        AbortReason abort = State->Abort;
        int read = 0;
        while (read < bytes.Length)
        {
            ulong linear = State->Rip + (ulong)read;
            linear = (State->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? linear : (uint)(linear + State->CodeBase);
            if (!PageWalker.Translate(State, linear, AccessKind.Execute, State->CodeTag & TlbTag.WhoMask, out PageWalk walk) || Group.Memory.Find(State->InSmm, walk.Gpa) is not { } slot)
            {
                break;
            }

            int size = Math.Min(bytes.Length - read, PageSize - (int)(linear % PageSize));
            new ReadOnlySpan<byte>(slot.Host + (walk.Gpa - slot.Gpa), size).CopyTo(bytes[read..]);
            read += size;
        }

        State->Fault = fault;
        State->Abort = abort;
        return read;
    }
}
