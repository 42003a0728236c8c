using Akvam.Cpu.Interpreter;

namespace Akvam.Cpu.Translator;

/// <summary>What is known of a piece of host code: they lie in the order in which they were made, each with the edges that lead from it behind. Host code knows its own.</summary>
/// <remarks>Valid until the region of the <see cref="CodeStore"/> that it is in is emptied, with the host code.</remarks>
public unsafe struct CodeRecord
{
    /// <summary>Whose code it is; null: nobody's any more.</summary>
    public Block* Block;

    /// <summary>How many edges follow.</summary>
    public int Edges;
}
