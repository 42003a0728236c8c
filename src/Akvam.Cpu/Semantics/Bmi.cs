using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>
/// BMI1, BMI2 and ADX on general registers. The VEX-encoded ones exist in protected mode only, whatever XCR0 says. Flags that the manuals leave undefined are clear (see
/// <see cref="UndefinedFlags"/>). [APM3 ANDN] … [SDM2 2.6: type 13]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Bmi
{
    /// <summary>An operation of destination, source and a second source, where the manual's syntax has one.</summary>
    private interface IOperation
    {
        /// <summary>Which operand may be memory: 1 or 2.</summary>
        static abstract int MemoryOperand { get; }

        static abstract T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>;
    }

    /// <summary>SF and ZF of the result, and CF.</summary>
    private static void SetFlags<T>(CpuState* s, T result, bool carry)
        where T : unmanaged, IBinaryInteger<T> =>
        LazyFlags.WriteLazy(s, (carry ? Rflags.CF : 0) | (result == T.Zero ? Rflags.ZF : 0) | (T.IsZero(result >> ((sizeof(T) * 8) - 1)) ? 0 : Rflags.SF));

    private readonly struct Andn : IOperation
    {
        public static int MemoryOperand => 2;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = ~a & b;
            SetFlags(s, r, carry: false);
            return r;
        }
    }

    private readonly struct Bextr : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong control = ulong.CreateTruncating(b);
            int start = (byte)control, length = (byte)(control >> 8);
            ulong v = start < 64 ? ulong.CreateTruncating(a) >> start : 0;
            T r = T.CreateTruncating(length < 64 ? v & ((1ul << length) - 1) : v);
            LazyFlags.WriteLazy(s, r == T.Zero ? Rflags.ZF : 0);
            return r;
        }
    }

    private readonly struct Blsi : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a & (T.Zero - a);
            SetFlags(s, r, a != T.Zero);
            return r;
        }
    }

    private readonly struct Blsmsk : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a ^ (a - T.One);
            SetFlags(s, r, a == T.Zero);
            return r;
        }
    }

    private readonly struct Blsr : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = a & (a - T.One);
            SetFlags(s, r, a == T.Zero);
            return r;
        }
    }

    private readonly struct Bzhi : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            int index = byte.CreateTruncating(b);
            bool beyond = index >= sizeof(T) * 8;
            T r = beyond ? a : a & ((T.One << index) - T.One);
            SetFlags(s, r, beyond);
            return r;
        }
    }

    private readonly struct Pdep : IOperation
    {
        public static int MemoryOperand => 2;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong source = ulong.CreateTruncating(a), mask = ulong.CreateTruncating(b);
            if (Bmi2.X64.IsSupported)
            {
                return T.CreateTruncating(Bmi2.X64.ParallelBitDeposit(source, mask));
            }

            ulong r = 0;
            for (; mask != 0; mask &= mask - 1, source >>= 1)
            {
                r |= (source & 1) != 0 ? mask & (0 - mask) : 0;
            }

            return T.CreateTruncating(r);
        }
    }

    private readonly struct Pext : IOperation
    {
        public static int MemoryOperand => 2;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong source = ulong.CreateTruncating(a), mask = ulong.CreateTruncating(b);
            if (Bmi2.X64.IsSupported)
            {
                return T.CreateTruncating(Bmi2.X64.ParallelBitExtract(source, mask));
            }

            ulong r = 0;
            for (int bit = 0; mask != 0; mask &= mask - 1, bit++)
            {
                r |= (source & mask & (0 - mask)) != 0 ? 1ul << bit : 0;
            }

            return T.CreateTruncating(r);
        }
    }

    private readonly struct Rorx : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T> => T.RotateRight(a, (int)i->Imm & ((sizeof(T) * 8) - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Count<T>(T b)
        where T : unmanaged, IBinaryInteger<T> => int.CreateTruncating(b) & ((sizeof(T) * 8) - 1);

    private readonly struct Sarx : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            int unused = 64 - (sizeof(T) * 8);
            return T.CreateTruncating((long)(ulong.CreateTruncating(a) << unused) >> unused >> Count(b));
        }
    }

    private readonly struct Shlx : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T> => a << Count(b);
    }

    private readonly struct Shrx : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T> => a >>> Count(b);
    }

    /// <summary>CF alone is added and written; the ordinary ADC leaves OF, this one does not touch it.</summary>
    private readonly struct Adcx : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T d = Operand.Get<T>(s, i->R0);
            T r = d + a + (LazyFlags.Cf(s) ? T.One : T.Zero);
            LazyFlags.SetCarryOverflow(s, Carry(d, a, r), LazyFlags.Of(s) ? 1ul : 0);
            return r;
        }
    }

    private readonly struct Adox : IOperation
    {
        public static int MemoryOperand => 1;

        public static T Do<T>(CpuState* s, Insn* i, T a, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T d = Operand.Get<T>(s, i->R0);
            T r = d + a + (LazyFlags.Of(s) ? T.One : T.Zero);
            LazyFlags.SetCarryOverflow(s, LazyFlags.Cf(s) ? 1ul : 0, Carry(d, a, r));
            return r;
        }
    }

    private static ulong Carry<T>(T a, T b, T r)
        where T : unmanaged, IBinaryInteger<T> => ulong.CreateTruncating((a & b) | ((a | b) & ~r)) >> ((sizeof(T) * 8) - 1);

    private static Flow R<TOp, T>(CpuState* s, Insn* i)
        where TOp : IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, TOp.Do(s, i, Operand.Get<T>(s, i->R1), Operand.Get<T>(s, i->R2)));
        return Flow.Next;
    }

    private static Flow M<TOp, T>(CpuState* s, Insn* i)
        where TOp : IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, TOp.MemoryOperand == 1 ? TOp.Do(s, i, v, Operand.Get<T>(s, i->R2)) : TOp.Do(s, i, Operand.Get<T>(s, i->R1), v));
        return Flow.Next;
    }

    /// <summary>The high half is written last: it wins when both destinations are one register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply<T>(CpuState* s, Insn* i, T b)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (sizeof(T) == 8)
        {
            ulong high = Math.BigMul(s->Gpr[Gpr.Rdx], ulong.CreateTruncating(b), out ulong low);
            Operand.Set(s, i->R1, low);
            Operand.Set(s, i->R0, high);
        }
        else
        {
            ulong product = (ulong)(uint)s->Gpr[Gpr.Rdx] * uint.CreateTruncating(b);
            Operand.Set(s, i->R1, (uint)product);
            Operand.Set(s, i->R0, (uint)(product >> 32));
        }
    }

    private static Flow MulxR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Multiply(s, i, Operand.Get<T>(s, i->R2));
        return Flow.Next;
    }

    private static Flow MulxM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T b))
        {
            return Flow.Abort;
        }

        Multiply(s, i, b);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddPair<Andn>(b, Code.VEX_Andn_r32_r32_rm32);
        AddPair<Bextr>(b, Code.VEX_Bextr_r32_rm32_r32);
        AddPair<Blsi>(b, Code.VEX_Blsi_r32_rm32);
        AddPair<Blsmsk>(b, Code.VEX_Blsmsk_r32_rm32);
        AddPair<Blsr>(b, Code.VEX_Blsr_r32_rm32);
        AddPair<Bzhi>(b, Code.VEX_Bzhi_r32_rm32_r32);
        AddPair<Pdep>(b, Code.VEX_Pdep_r32_r32_rm32);
        AddPair<Pext>(b, Code.VEX_Pext_r32_r32_rm32);
        AddPair<Rorx>(b, Code.VEX_Rorx_r32_rm32_imm8);
        AddPair<Sarx>(b, Code.VEX_Sarx_r32_rm32_r32);
        AddPair<Shlx>(b, Code.VEX_Shlx_r32_rm32_r32);
        AddPair<Shrx>(b, Code.VEX_Shrx_r32_rm32_r32);
        b.Add(Code.VEX_Mulx_r32_r32_rm32, &MulxR<uint>, &MulxM<uint>, legality: Legality.Protected);
        b.Add(Code.VEX_Mulx_r64_r64_rm64, &MulxR<ulong>, &MulxM<ulong>, legality: Legality.Protected);
        AddPair<Adcx>(b, Code.Adcx_r32_rm32, Legality.None);
        AddPair<Adox>(b, Code.Adox_r32_rm32, Legality.None);
    }

    private static void AddPair<TOp>(IsaBuilder b, Code r32, Legality legality = Legality.Protected)
        where TOp : IOperation
    {
        b.Add(r32, &R<TOp, uint>, &M<TOp, uint>, legality: legality);
        b.Add(r32 + 1, &R<TOp, ulong>, &M<TOp, ulong>, legality: legality);
    }
}
