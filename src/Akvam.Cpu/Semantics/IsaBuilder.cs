using System.Diagnostics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>Collects the rows of <see cref="Isa"/>; a code may be added once.</summary>
/// <remarks>Valid because the function pointers are to static methods, which never move.</remarks>
public sealed unsafe class IsaBuilder
{
    internal IsaRow[] Rows { get; } = new IsaRow[IcedConstantsCount];

    private static readonly int IcedConstantsCount = (int)Enum.GetValues<Code>()[^1] + 1;

    /// <summary>Adds an instruction with a register form, a memory form, or both.</summary>
    public void Add(
        Code code,
        delegate*<CpuState*, Insn*, Flow> register,
        delegate*<CpuState*, Insn*, Flow> memory = null,
        delegate*<CpuState*, Insn*, Flow> locked = null,
        Legality legality = Legality.None)
    {
        ref IsaRow row = ref Rows[(int)code];
        Debug.Assert(!row.IsImplemented, $"{code} has two rows");
        row = new IsaRow { Register = register, Memory = memory, Locked = locked, Legality = legality };
    }
}
