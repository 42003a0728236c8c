using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Interpreter;

/// <summary>Handlers of instructions that may not execute where they stand.</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class IllegalInstruction
{
    public static Flow Undefined(CpuState* s, Insn* i) => Fault.Ud(s);

    public static Flow NotAvailable(CpuState* s, Insn* i) => Fault.Nm(s);

    public static Flow Privileged(CpuState* s, Insn* i) => Fault.Gp(s, 0);

    /// <summary>More than 15 bytes. [SDM3 6.15, #GP] [APM2 8.2.14]</summary>
    public static Flow TooLong(CpuState* s, Insn* i) => Fault.Gp(s, 0);
}
