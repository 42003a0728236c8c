using Akvam.Cpu.State;
using Iced.Intel;
using Register = Iced.Intel.Register;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>
/// Registers of any kind as one byte: their distance from the start of <see cref="CpuState"/> in units of 8 bytes. Stubs get pointers, so instructions that
/// run in one keep slots in R0, R1, R2 (and Base for a fourth), in the order of their register operands.
/// </summary>
internal static class Slot
{
    public static byte Of(Register register)
    {
        if (register.IsVectorRegister())
        {
            return (byte)((CpuState.VectorOffset + (32 * register.GetNumber())) / 8);
        }

        // MMn is the n-th register of the FXSAVE image while the top of stack is 0.
        return (byte)(register.IsMM() ? (CpuState.FxOffset + 32 + (16 * register.GetNumber())) / 8 : register.GetNumber());
    }
}
