namespace Akvam.Cpu;

/// <summary>Why <see cref="Processor.Run"/> came back.</summary>
public enum RunResult
{
    /// <summary>Somebody asked for it (<see cref="State.Request.Kick"/>).</summary>
    Kicked,

    /// <summary>User space has to serve the pending port, MMIO or MSR access.</summary>
    UserExit,

    /// <summary>HLT, with nothing to do until an event.</summary>
    Halted,

    /// <summary>Waiting for SIPI (or not started at all).</summary>
    Waiting,

    /// <summary>Triple fault or failed RSM.</summary>
    Shutdown,

    /// <summary>The next instruction lies where there is no memory.</summary>
    NoCode,

    /// <summary>The kernel could not emulate the next instruction (<see cref="ProcessorQuirks.SmallerAddresses"/>).</summary>
    NotEmulated,

    /// <summary>An SMI found no memory at SMRAM: the machine cannot go on (KVM_EXIT_INTERNAL_ERROR, then EIO).</summary>
    NoSmram,

    /// <summary>The instruction limit was reached.</summary>
    Limit,

    /// <summary>An exception that the debugger asked for waits, undelivered, in <see cref="State.CpuState.Fault"/>; or a single step is done.</summary>
    Debug,
}
