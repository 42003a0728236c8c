using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>One row of the instruction table: what runs for each operand form, and when the instruction is legal.</summary>
/// <remarks>Valid because the function pointers are to static methods, which never move.</remarks>
public unsafe struct IsaRow
{
    /// <summary>Handler when no operand is explicit memory. Null: this form does not exist (#UD).</summary>
    public delegate*<CpuState*, Insn*, Flow> Register;

    /// <summary>Handler when an operand is memory.</summary>
    public delegate*<CpuState*, Insn*, Flow> Memory;

    /// <summary>Handler for the memory form under LOCK (null: LOCK is #UD).</summary>
    public delegate*<CpuState*, Insn*, Flow> Locked;

    public Legality Legality;

    /// <summary>
    /// Work at decoding time, or null: called last, with the operands already in the <see cref="Insn"/>, of which it may change everything but
    /// length, offset and code (a stub of host code, operands in a form of its own, a more specific handler).
    /// </summary>
    public delegate*<Processor, in Instruction, Insn*, void> Prepare;

    public readonly bool IsImplemented => Register != null || Memory != null;
}

/// <summary>
/// When an instruction may execute, checked once, at decoding, from <see cref="ModeKey"/>: mode (#UD), CPUID feature (#UD), FPU state (#UD, #NM), then CPL (#GP(0)).
/// CPUID features come from Iced's table for the code. What depends on anything else (IOPL, operands, CR4.TSD) the handler checks.
/// </summary>
[Flags]
public enum Legality
{
    None = 0,

    /// <summary>Needs protected mode outside virtual-8086 mode: #UD otherwise.</summary>
    Protected = 1 << 0,

    /// <summary>#GP(0) at CPL above 0.</summary>
    Cpl0 = 1 << 1,

    /// <summary>x87 instruction: #NM when CR0.EM or CR0.TS is set.</summary>
    X87 = 1 << 2,

    /// <summary>FWAIT: #NM when CR0.MP and CR0.TS are set.</summary>
    Wait = 1 << 3,

    /// <summary>MMX: #UD when CR0.EM, #NM when CR0.TS is set.</summary>
    Mmx = 1 << 4,

    /// <summary>Legacy SSE: #UD when CR0.EM is set or CR4.OSFXSR clear, #NM when CR0.TS is set.</summary>
    Sse = 1 << 5,

    /// <summary>VEX-encoded vector instruction: #UD unless protected mode, CR4.OSXSAVE and XCR0[2:1] = 11, #NM when CR0.TS is set.</summary>
    Avx = 1 << 6,

    /// <summary>#UD unless CR4.OSXSAVE.</summary>
    Xsave = 1 << 7,

    /// <summary>#UD unless EFER.SVME (and protected mode).</summary>
    Svm = 1 << 8,

    /// <summary>#UD outside SMM.</summary>
    Smm = 1 << 9,

    /// <summary>#UD unless CR4.FSGSBASE.</summary>
    FsGsBase = 1 << 10,

    /// <summary>#UD unless CR4.PKE.</summary>
    Pke = 1 << 11,

    /// <summary>#GP(0) when CR4.UMIP is set and CPL is above 0.</summary>
    Umip = 1 << 12,

    /// <summary>Ends the block: the handler may return anything but Next, or what follows must be decoded afresh.</summary>
    EndsBlock = 1 << 13,

    /// <summary>#UD outside 64-bit code (for encodings Iced decodes elsewhere too).</summary>
    Only64 = 1 << 14,

    /// <summary>#UD unless EFER.SCE.</summary>
    Sce = 1 << 15,

    /// <summary>Does nothing where its CPUID feature is missing (the NOP space): the feature is not looked at.</summary>
    Hint = 1 << 16,

    /// <summary>#UD unless EFER.LMA or a vendor that has SYSCALL in legacy mode: reserved for SYSCALL, SYSRET.</summary>
    ProtectedOrReal = 0,
}
