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
