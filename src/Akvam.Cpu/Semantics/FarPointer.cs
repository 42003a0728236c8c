using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>Far pointers in memory: an offset of 2, 4 or 8 bytes, then a selector.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> and <see cref="Insn"/> it is given.</remarks>
internal static unsafe class FarPointer
{
    /// <summary>Reads the memory operand; false: the fault is set.</summary>
    public static bool Load(CpuState* s, Insn* i, int width, out ushort selector, out ulong offset)
    {
        selector = 0;
        offset = 0;
        ulong low = 0;
        if (!Mem.Address(s, i, width + 2, AccessKind.Read, out ulong linear) || !Mem.LoadBytes(s, linear, (byte*)&low, width))
        {
            return false;
        }

        ulong second = linear + (ulong)width;
        offset = low;
        return Mem.LoadLinear(s, Segments.IsLongMode(s) ? second : (uint)second, out selector);
    }
}
