namespace Akvam.Cpu.State;

/// <summary>Why an instruction was not completed.</summary>
public enum AbortReason : byte
{
    /// <summary>It raised <see cref="CpuState.Fault"/>.</summary>
    Fault = 0,

    /// <summary>User space has to supply data first (MMIO or port read); the instruction is executed again afterwards.</summary>
    UserExit = 1,

    /// <summary>A request has to be served first: a REP string instruction between two iterations, or an access that <see cref="IProcessorBus.StopsAt"/>.</summary>
    Interrupted = 2,

    /// <summary>Code would have to be fetched from an address without memory.</summary>
    NoCode = 3,
}
