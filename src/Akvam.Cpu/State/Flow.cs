namespace Akvam.Cpu.State;

/// <summary>What an instruction's handler tells the engine.</summary>
public enum Flow
{
    /// <summary>Completed; go on with the next instruction of the block.</summary>
    Next = 0,

    /// <summary>Completed; <see cref="CpuState.Rip"/> holds the target. Leave the block.</summary>
    Jump = 1,

    /// <summary>Completed; leave the block, because what it was decoded under (mode, mapping, code bytes, interrupt window) may have changed.</summary>
    End = 2,

    /// <summary>Not completed and without visible effect (but for what REP iterations did): <see cref="CpuState.Abort"/> says why.</summary>
    Abort = 3,
}

/// <summary>Why an instruction was not completed.</summary>
public enum AbortReason : byte
{
    /// <summary>It raised <see cref="CpuState.Fault"/>.</summary>
    Fault = 0,

    /// <summary>User space has to supply data first (MMIO or port read); the instruction is executed again afterwards.</summary>
    UserExit = 1,

    /// <summary>A REP string instruction stopped between two iterations to let a request be served.</summary>
    Interrupted = 2,

    /// <summary>Code would have to be fetched from an address without memory.</summary>
    NoCode = 3,
}
