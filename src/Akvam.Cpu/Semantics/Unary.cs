using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>INC, DEC, NEG, NOT. [APM3 INC] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Unary
{
    private interface IUnary
    {
        static abstract T Do<T>(CpuState* s, T a)
            where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct Inc : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a + T.One;
            LazyFlags.SetKeepCarry(s, r, a & ~r);
            return r;
        }
    }

    private readonly struct Dec : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a - T.One;
            LazyFlags.SetKeepCarry(s, r, ~a & r);
            return r;
        }
    }

    private readonly struct Neg : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = T.Zero - a;
            LazyFlags.SetArithmetic(s, r, a | r);
            return r;
        }
    }

    private readonly struct Not : IUnary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a)
            where T : unmanaged, IBinaryInteger<T> => ~a;
    }

    private static Flow R<TOp, T>(CpuState* s, Insn* i)
        where TOp : IUnary
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, TOp.Do(s, Operand.Get<T>(s, i->R0)));
        return Flow.Next;
    }

    private static Flow M<TOp, T>(CpuState* s, Insn* i)
        where TOp : IUnary
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        *p = TOp.Do(s, *p);
        return Mem.EndModify(s, p);
    }

    /// <summary>A repeated attempt sets the same flags again: none of these reads a flag it writes.</summary>
    private static Flow LockedM<TOp, T>(CpuState* s, Insn* i)
        where TOp : IUnary
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        T old;
        do
        {
            old = Unsafe.ReadUnaligned<T>(p);
        }
        while (!Atomic.CompareExchange(p, old, TOp.Do(s, old)));
        return Mem.EndModify(s, p);
    }

    internal static void Register(IsaBuilder b)
    {
        AddFamily<Inc>(b, Code.Inc_rm8, Code.Inc_rm16);
        AddFamily<Dec>(b, Code.Dec_rm8, Code.Dec_rm16);
        AddFamily<Neg>(b, Code.Neg_rm8, Code.Neg_rm16);
        AddFamily<Not>(b, Code.Not_rm8, Code.Not_rm16);
        b.Add(Code.Inc_r16, &R<Inc, ushort>);
        b.Add(Code.Inc_r32, &R<Inc, uint>);
        b.Add(Code.Dec_r16, &R<Dec, ushort>);
        b.Add(Code.Dec_r32, &R<Dec, uint>);
    }

    private static void AddFamily<TOp>(IsaBuilder b, Code rm8, Code rm16)
        where TOp : IUnary
    {
        b.Add(rm8, &R<TOp, byte>, &M<TOp, byte>, &LockedM<TOp, byte>);
        b.Add(rm16, &R<TOp, ushort>, &M<TOp, ushort>, &LockedM<TOp, ushort>);
        b.Add(rm16 + 1, &R<TOp, uint>, &M<TOp, uint>, &LockedM<TOp, uint>);
        b.Add(rm16 + 2, &R<TOp, ulong>, &M<TOp, ulong>, &LockedM<TOp, ulong>);
    }
}
