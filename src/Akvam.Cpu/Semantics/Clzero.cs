using System.Numerics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>CLZERO: zeroes the 64-byte line that holds the byte at rAX. [APM3 CLZERO]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Clzero
{
    private const int Line = 64;

    /// <summary>The type parameter is the address size.</summary>
    private static Flow Execute<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong offset = ulong.CreateTruncating(Operand.Get<T>(s, Gpr.Rax * 8)) & ~(Line - 1ul);
        if (!StringAddress.Linear(s, i->Segment, offset, Line, AccessKind.Write, out ulong linear))
        {
            return Flow.Abort;
        }

        byte* zeros = stackalloc byte[Line];
        return Mem.StoreBytes(s, linear, zeros, Line);
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Clzerow, &Execute<ushort>);
        b.Add(Code.Clzerod, &Execute<uint>);
        b.Add(Code.Clzeroq, &Execute<ulong>);
    }
}
