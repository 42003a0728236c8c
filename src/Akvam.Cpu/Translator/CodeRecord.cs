using Akvam.Cpu.Interpreter;

namespace Akvam.Cpu.Translator;

/// <summary>A piece of host code, in the order in which they were made. The edges that lead from it follow.</summary>
/// <remarks>Valid until the region of the <see cref="CodeStore"/> that it is in is emptied, with the host code.</remarks>
public unsafe struct CodeRecord
{
    /// <summary>Whose code it is; null: nobody's any more.</summary>
    public Block* Block;

    /// <summary>How many edges follow.</summary>
    public int Edges;
}
