namespace Akvam.Cpu.Interpreter;

/// <summary>What the handlers of an <see cref="Insn"/> need to know of its prefixes and operands.</summary>
[Flags]
public enum InsnFlags : byte
{
    None = 0,

    /// <summary>The effective address is the linear address: 64-bit addressing without FS or GS, or flat 32-bit data.</summary>
    Flat = 1 << 0,
    Lock = 1 << 1,

    /// <summary>F3 (REP, REPE).</summary>
    Rep = 1 << 2,

    /// <summary>F2 (REPNE).</summary>
    Repne = 1 << 3,

    /// <summary>Address size 16; with neither this nor <see cref="Addr32"/> it is 64.</summary>
    Addr16 = 1 << 4,
    Addr32 = 1 << 5,

    /// <summary>The second operand is memory, not a register (for handlers that serve both forms).</summary>
    Mem = 1 << 6,
}
