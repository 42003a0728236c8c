namespace Akvam.Cpu.Translator;

/// <summary>
/// How flags in the state come back: the operation is done again on its operands. Storing the operands before an operation costs less than taking its flags out of
/// the host's RFLAGS, and mostly nobody asks for them. An operation stands for four recipes, by operand size (see <see cref="Recipes.Of"/>).
/// </summary>
public enum Recipe
{
    /// <summary>In <see cref="State.CpuState.HostFlags"/>, in the form of LAHF.</summary>
    Image = 0,

    // A op B.
    Add = 4,
    Sub = 8,
    Test = 12,
    Imul = 16,

    /// <summary>SF, ZF and PF of A; CF, OF and AF are clear.</summary>
    Logic = 20,

    // A shifted by B, which is not 0.
    ShiftLeft = 24,
    ShiftRight = 28,
    ShiftArithmetic = 32,

    // A plus or minus 1; CF as it was before is in FlagCarry.
    Increment = 36,
    Decrement = 40,

    /// <summary>Nobody has stored them: they come from the end of the loop that the block is, and its slow paths know how.</summary>
    Loop = 44,
    Count = 48,
}
