using System.Numerics;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>
/// SHLD and SHRD. The 16-bit forms with a count above 16, undefined in the manuals, go on with the first operand's bits behind the second's, as
/// processors do. [APM3 SHLD] [SDM2 SHRD]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class ShiftDouble
{
    /// <summary>A shift of <c>a</c> with the bits of <c>b</c> coming in, by a count that is masked and not zero.</summary>
    private interface IShift
    {
        static abstract T Do<T>(CpuState* s, T a, T b, int count)
            where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct Shld : IShift
    {
        public static T Do<T>(CpuState* s, T a, T b, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong r, carry, x = ulong.CreateTruncating(a), y = ulong.CreateTruncating(b);
            if (sizeof(T) == 2)
            {
                ulong wide = (x << 32) | (y << 16) | x;
                r = wide >> (32 - count);
                carry = (wide >> (48 - count)) & 1;
            }
            else
            {
                int width = sizeof(T) * 8;
                r = (x << count) | (y >> (width - count));
                carry = (x >> (width - count)) & 1;
            }

            T result = T.CreateTruncating(r);
            LazyFlags.SetResult(s, result, carry, carry ^ ((r >> ((sizeof(T) * 8) - 1)) & 1));
            return result;
        }
    }

    private readonly struct Shrd : IShift
    {
        public static T Do<T>(CpuState* s, T a, T b, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong r, carry, x = ulong.CreateTruncating(a), y = ulong.CreateTruncating(b);
            int width = sizeof(T) * 8;
            if (sizeof(T) == 2)
            {
                ulong wide = (x << 32) | (y << 16) | x;
                r = wide >> count;
                carry = (wide >> (count - 1)) & 1;
            }
            else
            {
                r = (x >> count) | (y << (width - count));
                carry = (x >> (count - 1)) & 1;
            }

            T result = T.CreateTruncating(r);
            LazyFlags.SetResult(s, result, carry, ((r >> (width - 1)) ^ (r >> (width - 2))) & 1);
            return result;
        }
    }

    private interface ICount
    {
        static abstract int Get(CpuState* s, Insn* i);
    }

    private readonly struct Immediate : ICount
    {
        public static int Get(CpuState* s, Insn* i) => (int)i->Imm;
    }

    private readonly struct Cl : ICount
    {
        public static int Get(CpuState* s, Insn* i) => (int)s->Gpr[Gpr.Rcx];
    }

    private static Flow R<TOp, TCount, T>(CpuState* s, Insn* i)
        where TOp : IShift
        where TCount : ICount
        where T : unmanaged, IBinaryInteger<T>
    {
        int count = TCount.Get(s, i) & (sizeof(T) == 8 ? 63 : 31);
        T v = Operand.Get<T>(s, i->R0);
        Operand.Set(s, i->R0, count == 0 ? v : TOp.Do(s, v, Operand.Get<T>(s, i->R1), count));
        return Flow.Next;
    }

    private static Flow M<TOp, TCount, T>(CpuState* s, Insn* i)
        where TOp : IShift
        where TCount : ICount
        where T : unmanaged, IBinaryInteger<T>
    {
        int count = TCount.Get(s, i) & (sizeof(T) == 8 ? 63 : 31);
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        if (count != 0)
        {
            *p = TOp.Do(s, *p, Operand.Get<T>(s, i->R1), count);
        }

        return Mem.EndModify(s, p);
    }

    internal static void Register(IsaBuilder b)
    {
        Add<Shld, Immediate>(b, Code.Shld_rm16_r16_imm8);
        Add<Shld, Cl>(b, Code.Shld_rm16_r16_CL);
        Add<Shrd, Immediate>(b, Code.Shrd_rm16_r16_imm8);
        Add<Shrd, Cl>(b, Code.Shrd_rm16_r16_CL);
    }

    private static void Add<TOp, TCount>(IsaBuilder b, Code rm16)
        where TOp : IShift
        where TCount : ICount
    {
        b.Add(rm16, &R<TOp, TCount, ushort>, &M<TOp, TCount, ushort>);
        b.Add(rm16 + 1, &R<TOp, TCount, uint>, &M<TOp, TCount, uint>);
        b.Add(rm16 + 2, &R<TOp, TCount, ulong>, &M<TOp, TCount, ulong>);
    }
}
