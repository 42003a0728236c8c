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
}
