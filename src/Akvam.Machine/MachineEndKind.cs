namespace Akvam.Machine;

/// <summary>The ways a machine ends.</summary>
public enum MachineEndKind
{
    /// <summary>The guest switched the machine off (ACPI S5).</summary>
    PowerOff,

    /// <summary>The guest pulled the reset line.</summary>
    Reset,

    /// <summary>The guest wrote to the debug-exit port.</summary>
    DebugExit,

    /// <summary>A processor shut down: a triple fault, or an RSM that failed.</summary>
    Shutdown,

    /// <summary>The user ended the machine.</summary>
    Quit,

    /// <summary>The processor met something it cannot emulate: a fault of ours, not of the guest.</summary>
    InternalError,
}
