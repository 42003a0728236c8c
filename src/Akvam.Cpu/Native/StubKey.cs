using Iced.Intel;

namespace Akvam.Cpu.Native;

/// <summary>What makes two guest instructions share a stub: everything but which registers they name and where their memory operand is.</summary>
/// <param name="Code">The encoding.</param>
/// <param name="Memory">True for the form with a memory operand.</param>
/// <param name="Immediates">Up to two 8-bit immediates, or the stack register of an x87 instruction.</param>
internal readonly record struct StubKey(Code Code, bool Memory, ushort Immediates);
