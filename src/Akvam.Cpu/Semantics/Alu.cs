using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST in all forms. [APM3 ADD] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Alu
{
    private interface IBinary
    {
        static abstract T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>;
    }

    private readonly struct Add : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a + b;
            LazyFlags.SetArithmetic(s, r, (a & b) | ((a | b) & ~r));
            return r;
        }
    }

    private readonly struct Adc : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a + b + (LazyFlags.Cf(s) ? T.One : T.Zero);
            LazyFlags.SetArithmetic(s, r, (a & b) | ((a | b) & ~r));
            return r;
        }
    }

    private readonly struct Sub : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a - b;
            LazyFlags.SetArithmetic(s, r, (~a & b) | ((~a | b) & r));
            return r;
        }
    }

    private readonly struct Sbb : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a - b - (LazyFlags.Cf(s) ? T.One : T.Zero);
            LazyFlags.SetArithmetic(s, r, (~a & b) | ((~a | b) & r));
            return r;
        }
    }

    private readonly struct And : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a & b;
            LazyFlags.SetLogic(s, r);
            return r;
        }
    }

    private readonly struct Or : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a | b;
            LazyFlags.SetLogic(s, r);
            return r;
        }
    }

    private readonly struct Xor : IBinary
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a ^ b;
            LazyFlags.SetLogic(s, r);
            return r;
        }
    }

    /// <summary>reg, reg</summary>
    private static Flow RR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, TOp.Do(s, Operand.Get<T>(s, i->R0), Operand.Get<T>(s, i->R1)));
        return Flow.Next;
    }

    /// <summary>reg, mem</summary>
    private static Flow RM<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T b))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, TOp.Do(s, Operand.Get<T>(s, i->R0), b));
        return Flow.Next;
    }

    /// <summary>reg, imm</summary>
    private static Flow RI<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, TOp.Do(s, Operand.Get<T>(s, i->R0), T.CreateTruncating(i->Imm)));
        return Flow.Next;
    }

    /// <summary>mem, reg</summary>
    private static Flow MR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T> => Modify<TOp, T>(s, i, Operand.Get<T>(s, i->R1));

    /// <summary>mem, imm</summary>
    private static Flow MI<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T> => Modify<TOp, T>(s, i, T.CreateTruncating(i->Imm));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow Modify<TOp, T>(CpuState* s, Insn* i, T b)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        *p = TOp.Do(s, *p, b);
        return Mem.EndModify(s, p);
    }

    private static Flow LockedMR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T> => LockedModify<TOp, T>(s, i, Operand.Get<T>(s, i->R1));

    private static Flow LockedMI<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T> => LockedModify<TOp, T>(s, i, T.CreateTruncating(i->Imm));

    private static Flow LockedModify<TOp, T>(CpuState* s, Insn* i, T b)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        // The operation may read CF (ADC, SBB), which it also writes: start each attempt from the same flags.
        ulong result = s->FlagResult, aux = s->FlagAux;
        T old, value;
        do
        {
            s->FlagResult = result;
            s->FlagAux = aux;
            old = Unsafe.ReadUnaligned<T>(p);
            value = TOp.Do(s, old, b);
        }
        while (!Atomic.CompareExchange(p, old, value));
        return Mem.EndModify(s, p);
    }

    /// <summary>CMP and TEST: flags only.</summary>
    private static Flow FlagsRR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        TOp.Do(s, Operand.Get<T>(s, i->R0), Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow FlagsRI<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        TOp.Do(s, Operand.Get<T>(s, i->R0), T.CreateTruncating(i->Imm));
        return Flow.Next;
    }

    private static Flow FlagsRM<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T b))
        {
            return Flow.Abort;
        }

        TOp.Do(s, Operand.Get<T>(s, i->R0), b);
        return Flow.Next;
    }

    private static Flow FlagsMR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T a))
        {
            return Flow.Abort;
        }

        TOp.Do(s, a, Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow FlagsMI<TOp, T>(CpuState* s, Insn* i)
        where TOp : IBinary
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T a))
        {
            return Flow.Abort;
        }

        TOp.Do(s, a, T.CreateTruncating(i->Imm));
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddFamily<Add>(b, Code.Add_rm8_r8);
        AddFamily<Or>(b, Code.Or_rm8_r8);
        AddFamily<Adc>(b, Code.Adc_rm8_r8);
        AddFamily<Sbb>(b, Code.Sbb_rm8_r8);
        AddFamily<And>(b, Code.And_rm8_r8);
        AddFamily<Sub>(b, Code.Sub_rm8_r8);
        AddFamily<Xor>(b, Code.Xor_rm8_r8);
        AddImmediates<Add>(b, Code.Add_rm8_imm8, Code.Add_rm8_imm8_82, Code.Add_rm16_imm16, Code.Add_rm16_imm8);
        AddImmediates<Or>(b, Code.Or_rm8_imm8, Code.Or_rm8_imm8_82, Code.Or_rm16_imm16, Code.Or_rm16_imm8);
        AddImmediates<Adc>(b, Code.Adc_rm8_imm8, Code.Adc_rm8_imm8_82, Code.Adc_rm16_imm16, Code.Adc_rm16_imm8);
        AddImmediates<Sbb>(b, Code.Sbb_rm8_imm8, Code.Sbb_rm8_imm8_82, Code.Sbb_rm16_imm16, Code.Sbb_rm16_imm8);
        AddImmediates<And>(b, Code.And_rm8_imm8, Code.And_rm8_imm8_82, Code.And_rm16_imm16, Code.And_rm16_imm8);
        AddImmediates<Sub>(b, Code.Sub_rm8_imm8, Code.Sub_rm8_imm8_82, Code.Sub_rm16_imm16, Code.Sub_rm16_imm8);
        AddImmediates<Xor>(b, Code.Xor_rm8_imm8, Code.Xor_rm8_imm8_82, Code.Xor_rm16_imm16, Code.Xor_rm16_imm8);
        AddCompare(b);
        AddTest(b);
    }

    /// <summary>The nine encodings of one operation, which Iced numbers in opcode order: rm,r ×4; r,rm ×4; AL,imm8; AX,imm16; EAX,imm32; RAX,imm32.</summary>
    private static void AddFamily<TOp>(IsaBuilder b, Code first)
        where TOp : IBinary
    {
        b.Add(first, &RR<TOp, byte>, &MR<TOp, byte>, &LockedMR<TOp, byte>);
        b.Add(first + 1, &RR<TOp, ushort>, &MR<TOp, ushort>, &LockedMR<TOp, ushort>);
        b.Add(first + 2, &RR<TOp, uint>, &MR<TOp, uint>, &LockedMR<TOp, uint>);
        b.Add(first + 3, &RR<TOp, ulong>, &MR<TOp, ulong>, &LockedMR<TOp, ulong>);
        b.Add(first + 4, &RR<TOp, byte>, &RM<TOp, byte>);
        b.Add(first + 5, &RR<TOp, ushort>, &RM<TOp, ushort>);
        b.Add(first + 6, &RR<TOp, uint>, &RM<TOp, uint>);
        b.Add(first + 7, &RR<TOp, ulong>, &RM<TOp, ulong>);
        b.Add(first + 8, &RI<TOp, byte>);
        b.Add(first + 9, &RI<TOp, ushort>);
        b.Add(first + 10, &RI<TOp, uint>);
        b.Add(first + 11, &RI<TOp, ulong>);
    }

    private static void AddImmediates<TOp>(IsaBuilder b, Code rm8, Code rm8Alias, Code rm16Imm16, Code rm16Imm8)
        where TOp : IBinary
    {
        b.Add(rm8, &RI<TOp, byte>, &MI<TOp, byte>, &LockedMI<TOp, byte>);
        b.Add(rm8Alias, &RI<TOp, byte>, &MI<TOp, byte>, &LockedMI<TOp, byte>);
        b.Add(rm16Imm16, &RI<TOp, ushort>, &MI<TOp, ushort>, &LockedMI<TOp, ushort>);
        b.Add(rm16Imm16 + 1, &RI<TOp, uint>, &MI<TOp, uint>, &LockedMI<TOp, uint>);
        b.Add(rm16Imm16 + 2, &RI<TOp, ulong>, &MI<TOp, ulong>, &LockedMI<TOp, ulong>);
        b.Add(rm16Imm8, &RI<TOp, ushort>, &MI<TOp, ushort>, &LockedMI<TOp, ushort>);
        b.Add(rm16Imm8 + 1, &RI<TOp, uint>, &MI<TOp, uint>, &LockedMI<TOp, uint>);
        b.Add(rm16Imm8 + 2, &RI<TOp, ulong>, &MI<TOp, ulong>, &LockedMI<TOp, ulong>);
    }

    private static void AddCompare(IsaBuilder b)
    {
        b.Add(Code.Cmp_rm8_r8, &FlagsRR<Sub, byte>, &FlagsMR<Sub, byte>);
        b.Add(Code.Cmp_rm16_r16, &FlagsRR<Sub, ushort>, &FlagsMR<Sub, ushort>);
        b.Add(Code.Cmp_rm32_r32, &FlagsRR<Sub, uint>, &FlagsMR<Sub, uint>);
        b.Add(Code.Cmp_rm64_r64, &FlagsRR<Sub, ulong>, &FlagsMR<Sub, ulong>);
        b.Add(Code.Cmp_r8_rm8, &FlagsRR<Sub, byte>, &FlagsRM<Sub, byte>);
        b.Add(Code.Cmp_r16_rm16, &FlagsRR<Sub, ushort>, &FlagsRM<Sub, ushort>);
        b.Add(Code.Cmp_r32_rm32, &FlagsRR<Sub, uint>, &FlagsRM<Sub, uint>);
        b.Add(Code.Cmp_r64_rm64, &FlagsRR<Sub, ulong>, &FlagsRM<Sub, ulong>);
        b.Add(Code.Cmp_AL_imm8, &FlagsRI<Sub, byte>);
        b.Add(Code.Cmp_AX_imm16, &FlagsRI<Sub, ushort>);
        b.Add(Code.Cmp_EAX_imm32, &FlagsRI<Sub, uint>);
        b.Add(Code.Cmp_RAX_imm32, &FlagsRI<Sub, ulong>);
        b.Add(Code.Cmp_rm8_imm8, &FlagsRI<Sub, byte>, &FlagsMI<Sub, byte>);
        b.Add(Code.Cmp_rm8_imm8_82, &FlagsRI<Sub, byte>, &FlagsMI<Sub, byte>);
        b.Add(Code.Cmp_rm16_imm16, &FlagsRI<Sub, ushort>, &FlagsMI<Sub, ushort>);
        b.Add(Code.Cmp_rm32_imm32, &FlagsRI<Sub, uint>, &FlagsMI<Sub, uint>);
        b.Add(Code.Cmp_rm64_imm32, &FlagsRI<Sub, ulong>, &FlagsMI<Sub, ulong>);
        b.Add(Code.Cmp_rm16_imm8, &FlagsRI<Sub, ushort>, &FlagsMI<Sub, ushort>);
        b.Add(Code.Cmp_rm32_imm8, &FlagsRI<Sub, uint>, &FlagsMI<Sub, uint>);
        b.Add(Code.Cmp_rm64_imm8, &FlagsRI<Sub, ulong>, &FlagsMI<Sub, ulong>);
    }

    private static void AddTest(IsaBuilder b)
    {
        b.Add(Code.Test_rm8_r8, &FlagsRR<And, byte>, &FlagsMR<And, byte>);
        b.Add(Code.Test_rm16_r16, &FlagsRR<And, ushort>, &FlagsMR<And, ushort>);
        b.Add(Code.Test_rm32_r32, &FlagsRR<And, uint>, &FlagsMR<And, uint>);
        b.Add(Code.Test_rm64_r64, &FlagsRR<And, ulong>, &FlagsMR<And, ulong>);
        b.Add(Code.Test_AL_imm8, &FlagsRI<And, byte>);
        b.Add(Code.Test_AX_imm16, &FlagsRI<And, ushort>);
        b.Add(Code.Test_EAX_imm32, &FlagsRI<And, uint>);
        b.Add(Code.Test_RAX_imm32, &FlagsRI<And, ulong>);
        b.Add(Code.Test_rm8_imm8, &FlagsRI<And, byte>, &FlagsMI<And, byte>);
        b.Add(Code.Test_rm8_imm8_F6r1, &FlagsRI<And, byte>, &FlagsMI<And, byte>);
        b.Add(Code.Test_rm16_imm16, &FlagsRI<And, ushort>, &FlagsMI<And, ushort>);
        b.Add(Code.Test_rm16_imm16_F7r1, &FlagsRI<And, ushort>, &FlagsMI<And, ushort>);
        b.Add(Code.Test_rm32_imm32, &FlagsRI<And, uint>, &FlagsMI<And, uint>);
        b.Add(Code.Test_rm32_imm32_F7r1, &FlagsRI<And, uint>, &FlagsMI<And, uint>);
        b.Add(Code.Test_rm64_imm32, &FlagsRI<And, ulong>, &FlagsMI<And, ulong>);
        b.Add(Code.Test_rm64_imm32_F7r1, &FlagsRI<And, ulong>, &FlagsMI<And, ulong>);
    }
}
