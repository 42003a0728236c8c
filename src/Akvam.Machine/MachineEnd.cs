namespace Akvam.Machine;

/// <summary>Why a machine stopped.</summary>
/// <param name="Kind">The kind of end.</param>
/// <param name="Code">The exit code of a debug exit; 0 otherwise.</param>
/// <param name="Detail">For people: who asked for it, or the state at a shutdown.</param>
public sealed record MachineEnd(MachineEndKind Kind, int Code, string Detail);
