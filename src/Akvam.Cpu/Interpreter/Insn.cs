using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Interpreter;

/// <summary>One decoded instruction: what to call and with which operands. 32 bytes.</summary>
/// <remarks>
/// Valid because instructions live in the native arena of a BlockCache, which is released as a whole and only between blocks.
/// Register operands are numbered by their position in the manual's syntax: <see cref="R0"/> is operand 0. General registers are byte offsets into
/// <see cref="CpuState"/> (AH = 1, RCX = 8); segment, control, debug, x87, MMX and vector registers are plain numbers.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public unsafe struct Insn
{
    [FieldOffset(0)]
    public delegate*<CpuState*, Insn*, Flow> Execute;

    /// <summary>
    /// Immediate, sign-extended as the instruction does; or a near branch target relative to the block's first instruction; or a far pointer
    /// (selector in bits 47:32); or the address of a moffs operand.
    /// </summary>
    [FieldOffset(8)]
    public ulong Imm;

    /// <summary>Displacement of the memory operand (for RIP-relative ones relative to the block's first instruction); ENTER: nesting level.</summary>
    [FieldOffset(16)]
    public int Disp;

    /// <summary>Byte offset of the base register (<see cref="Register.ZeroOffset"/>: none, <see cref="Register.RipOffset"/>: RIP).</summary>
    [FieldOffset(20)]
    public byte Base;

    [FieldOffset(21)]
    public byte Index;

    /// <summary>Shift count of the index: 0 to 3.</summary>
    [FieldOffset(22)]
    public byte Scale;

    /// <summary>Segment of the memory operand, after overrides.</summary>
    [FieldOffset(23)]
    public byte Segment;

    [FieldOffset(24)]
    public byte R0;

    [FieldOffset(25)]
    public byte R1;

    [FieldOffset(26)]
    public byte R2;

    [FieldOffset(27)]
    public InsnFlags Flags;

    /// <summary>Length in bytes, 1 to 15.</summary>
    [FieldOffset(28)]
    public byte Length;

    /// <summary>Distance of the first byte from the block's first instruction.</summary>
    [FieldOffset(29)]
    public byte Offset;

    /// <summary>Iced.Intel.Code: the row of <see cref="Semantics.Isa"/>.</summary>
    [FieldOffset(30)]
    public ushort Code;

    /// <summary>RIP of the instruction itself.</summary>
    public readonly ulong RipOf(CpuState* s) => (s->Rip + Offset) & s->RipMask;

    /// <summary>RIP of the instruction after this one.</summary>
    public readonly ulong NextRip(CpuState* s) => (s->Rip + Offset + Length) & s->RipMask;
}
