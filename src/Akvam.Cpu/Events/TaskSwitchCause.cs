namespace Akvam.Cpu.Events;

/// <summary>Why tasks are switched.</summary>
internal enum TaskSwitchCause
{
    Jump,
    Call,

    /// <summary>An interrupt or exception through a task gate.</summary>
    Interrupt,
    Iret,
}
