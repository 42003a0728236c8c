namespace Akvam;

/// <summary>An instruction of the guest, for people and for debuggers.</summary>
/// <param name="Linear">Its linear address.</param>
/// <param name="Length">Bytes; 0 where there is no code.</param>
/// <param name="Text">Bytes and disassembly.</param>
public readonly record struct InstructionView(ulong Linear, int Length, string Text);
