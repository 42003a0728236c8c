using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>BT, BTS, BTR, BTC. CF changes alone. A register bit offset into memory is signed and reaches beyond the operand. [APM3 BT] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class BitTest
{
    private interface IBitOp
    {
        static abstract T Do<T>(T v, T bit)
            where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct Set : IBitOp
    {
        public static T Do<T>(T v, T bit)
            where T : unmanaged, IBinaryInteger<T> => v | bit;
    }

    private readonly struct Reset : IBitOp
    {
        public static T Do<T>(T v, T bit)
            where T : unmanaged, IBinaryInteger<T> => v & ~bit;
    }

    private readonly struct Complement : IBitOp
    {
        public static T Do<T>(T v, T bit)
            where T : unmanaged, IBinaryInteger<T> => v ^ bit;
    }

    /// <summary>Where the bit offset comes from.</summary>
    private interface ISource
    {
        static abstract long Offset<T>(CpuState* s, Insn* i)
            where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct FromRegister : ISource
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static long Offset<T>(CpuState* s, Insn* i)
            where T : unmanaged, IBinaryInteger<T>
        {
            int unused = 64 - (sizeof(T) * 8);
            return (long)(ulong.CreateTruncating(Operand.Get<T>(s, i->R1)) << unused) >> unused;
        }
    }

    /// <summary>Immediates are taken modulo the operand size, so they never leave the operand.</summary>
    private readonly struct FromImmediate : ISource
    {
        public static long Offset<T>(CpuState* s, Insn* i)
            where T : unmanaged, IBinaryInteger<T> => (long)i->Imm & ((sizeof(T) * 8) - 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Bit<T>(long offset)
        where T : unmanaged, IBinaryInteger<T> => T.CreateTruncating(1ul << (int)(offset & ((sizeof(T) * 8) - 1)));

    /// <summary>Linear address of the operand that holds the bit; false: the fault is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Address<T>(CpuState* s, Insn* i, long offset, AccessKind kind, out ulong linear)
        where T : unmanaged
    {
        int shift = sizeof(T) == 2 ? 4 : sizeof(T) == 4 ? 5 : 6;
        linear = Mem.RawEa(s, i) + (ulong)((offset >> shift) * sizeof(T));
        if ((i->Flags & InsnFlags.Flat) == 0)
        {
            return SegmentCheck.Linear(s, i, sizeof(T), kind, ref linear);
        }

        linear = (s->Mode & ModeKey.Code64) != 0 ? linear : (uint)linear;
        return true;
    }

    private static Flow TestR<TSource, T>(CpuState* s, Insn* i)
        where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>
    {
        LazyFlags.SetCf(s, (Operand.Get<T>(s, i->R0) & Bit<T>(TSource.Offset<T>(s, i))) != T.Zero);
        return Flow.Next;
    }

    private static Flow TestM<TSource, T>(CpuState* s, Insn* i)
        where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>
    {
        long offset = TSource.Offset<T>(s, i);
        if (!Address<T>(s, i, offset, AccessKind.Read, out ulong linear) || !Mem.LoadLinear(s, linear, out T v))
        {
            return Flow.Abort;
        }

        LazyFlags.SetCf(s, (v & Bit<T>(offset)) != T.Zero);
        return Flow.Next;
    }

    private static Flow ModifyR<TOp, TSource, T>(CpuState* s, Insn* i)
        where TOp : IBitOp
        where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>
    {
        T v = Operand.Get<T>(s, i->R0), bit = Bit<T>(TSource.Offset<T>(s, i));
        LazyFlags.SetCf(s, (v & bit) != T.Zero);
        Operand.Set(s, i->R0, TOp.Do(v, bit));
        return Flow.Next;
    }

    private static Flow ModifyM<TOp, TSource, T>(CpuState* s, Insn* i)
        where TOp : IBitOp
        where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>
    {
        long offset = TSource.Offset<T>(s, i);
        T* p = Address<T>(s, i, offset, AccessKind.Write, out ulong linear) ? Mem.BeginModifyLinear<T>(s, linear) : null;
        if (p == null)
        {
            return Flow.Abort;
        }

        T v = *p, bit = Bit<T>(offset);
        *p = TOp.Do(v, bit);
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            LazyFlags.SetCf(s, (v & bit) != T.Zero);
        }

        return flow;
    }

    private static Flow LockedM<TOp, TSource, T>(CpuState* s, Insn* i)
        where TOp : IBitOp
        where TSource : ISource
        where T : unmanaged, IBinaryInteger<T>
    {
        long offset = TSource.Offset<T>(s, i);
        T* p = Address<T>(s, i, offset, AccessKind.Write, out ulong linear) ? Mem.BeginModifyLinear<T>(s, linear) : null;
        if (p == null)
        {
            return Flow.Abort;
        }

        T v, bit = Bit<T>(offset);
        do
        {
            v = Unsafe.ReadUnaligned<T>(p);
        }
        while (!Atomic.CompareExchange(p, v, TOp.Do(v, bit)));
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            LazyFlags.SetCf(s, (v & bit) != T.Zero);
        }

        return flow;
    }

    internal static void Register(IsaBuilder b)
    {
        AddTest<FromRegister>(b, Code.Bt_rm16_r16);
        AddTest<FromImmediate>(b, Code.Bt_rm16_imm8);
        AddModify<Set, FromRegister>(b, Code.Bts_rm16_r16);
        AddModify<Set, FromImmediate>(b, Code.Bts_rm16_imm8);
        AddModify<Reset, FromRegister>(b, Code.Btr_rm16_r16);
        AddModify<Reset, FromImmediate>(b, Code.Btr_rm16_imm8);
        AddModify<Complement, FromRegister>(b, Code.Btc_rm16_r16);
        AddModify<Complement, FromImmediate>(b, Code.Btc_rm16_imm8);
    }

    private static void AddTest<TSource>(IsaBuilder b, Code rm16)
        where TSource : ISource
    {
        b.Add(rm16, &TestR<TSource, ushort>, &TestM<TSource, ushort>);
        b.Add(rm16 + 1, &TestR<TSource, uint>, &TestM<TSource, uint>);
        b.Add(rm16 + 2, &TestR<TSource, ulong>, &TestM<TSource, ulong>);
    }

    private static void AddModify<TOp, TSource>(IsaBuilder b, Code rm16)
        where TOp : IBitOp
        where TSource : ISource
    {
        b.Add(rm16, &ModifyR<TOp, TSource, ushort>, &ModifyM<TOp, TSource, ushort>, &LockedM<TOp, TSource, ushort>);
        b.Add(rm16 + 1, &ModifyR<TOp, TSource, uint>, &ModifyM<TOp, TSource, uint>, &LockedM<TOp, TSource, uint>);
        b.Add(rm16 + 2, &ModifyR<TOp, TSource, ulong>, &ModifyM<TOp, TSource, ulong>, &LockedM<TOp, TSource, ulong>);
    }
}
