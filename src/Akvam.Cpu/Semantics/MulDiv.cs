using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>
/// MUL, IMUL, DIV, IDIV. The flags that the manuals leave undefined: a product has SF, ZF, AF and PF clear, and a division leaves all as they were (see <see cref="UndefinedFlags"/>).
/// [APM3 MUL] [APM3 DIV] …
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class MulDiv
{
    /// <summary>An operation on rDX:rAX (AX for bytes) and one operand.</summary>
    private interface IWide
    {
        static abstract Flow Do<T>(CpuState* s, T b)
            where T : unmanaged, IBinaryInteger<T>;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Signed<T>(T v)
        where T : unmanaged, IBinaryInteger<T>
    {
        int unused = 64 - (sizeof(T) * 8);
        return (long)(ulong.CreateTruncating(v) << unused) >> unused;
    }

    /// <summary>Writes a double-width result to AX, DX:AX, EDX:EAX or RDX:RAX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetWide<T>(CpuState* s, T low, T high)
        where T : unmanaged
    {
        Operand.Set(s, Gpr.Rax * 8, low);
        Operand.Set(s, sizeof(T) == 1 ? (byte)1 : (byte)(Gpr.Rdx * 8), high);
    }

    private readonly struct Mul : IWide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Flow Do<T>(CpuState* s, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T a = Operand.Get<T>(s, Gpr.Rax * 8);
            T low, high;
            if (sizeof(T) == 8)
            {
                high = T.CreateTruncating(Math.BigMul(ulong.CreateTruncating(a), ulong.CreateTruncating(b), out ulong l));
                low = T.CreateTruncating(l);
            }
            else
            {
                ulong p = ulong.CreateTruncating(a) * ulong.CreateTruncating(b);
                low = T.CreateTruncating(p);
                high = T.CreateTruncating(p >> (sizeof(T) * 8));
            }

            SetWide(s, low, high);
            ulong carry = high == T.Zero ? 0ul : 1;
            LazyFlags.SetResult(s, T.One, carry, carry);
            return Flow.Next;
        }
    }

    private readonly struct Imul : IWide
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Flow Do<T>(CpuState* s, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            T low = Multiply(s, Operand.Get<T>(s, Gpr.Rax * 8), b, out T high);
            SetWide(s, low, high);
            return Flow.Next;
        }
    }

    /// <summary>Signed product; CF and OF say that the low half alone is not the product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Multiply<T>(CpuState* s, T a, T b, out T high)
        where T : unmanaged, IBinaryInteger<T>
    {
        long l, h;
        if (sizeof(T) == 8)
        {
            h = Math.BigMul(Signed(a), Signed(b), out l);
        }
        else
        {
            l = Signed(a) * Signed(b);
            h = l >> (sizeof(T) * 8);
        }

        T low = T.CreateTruncating(l);
        high = T.CreateTruncating(h);
        ulong carry = Signed(low) >> 63 == h && Signed(low) == l ? 0ul : 1;
        LazyFlags.SetResult(s, T.One, carry, carry);
        return low;
    }

    private readonly struct Div : IWide
    {
        public static Flow Do<T>(CpuState* s, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            if (b == T.Zero)
            {
                return Fault.De(s);
            }

            ulong divisor = ulong.CreateTruncating(b), quotient, remainder;
            if (sizeof(T) == 8)
            {
                ulong high = s->Gpr[Gpr.Rdx], low = s->Gpr[Gpr.Rax];
                if (high >= divisor)
                {
                    return Fault.De(s);
                }

                if (high == 0)
                {
                    (quotient, remainder) = Math.DivRem(low, divisor);
                }
                else
                {
                    UInt128 dividend = new(high, low);
                    UInt128 q = dividend / divisor;
                    quotient = (ulong)q;
                    remainder = low - (quotient * divisor);
                }
            }
            else
            {
                (quotient, remainder) = Math.DivRem(Dividend<T>(s), divisor);
                if (quotient >> (sizeof(T) * 8) != 0)
                {
                    return Fault.De(s);
                }
            }

            SetWide(s, T.CreateTruncating(quotient), T.CreateTruncating(remainder));
            return Flow.Next;
        }
    }

    private readonly struct Idiv : IWide
    {
        public static Flow Do<T>(CpuState* s, T b)
            where T : unmanaged, IBinaryInteger<T>
        {
            if (b == T.Zero)
            {
                return Fault.De(s);
            }

            long divisor = Signed(b), quotient, remainder;
            if (sizeof(T) == 8)
            {
                long high = (long)s->Gpr[Gpr.Rdx], low = (long)s->Gpr[Gpr.Rax];
                if (high != low >> 63)
                {
                    return Divide128(s, new Int128((ulong)high, (ulong)low), divisor);
                }

                if (low == long.MinValue && divisor == -1)
                {
                    return Fault.De(s);
                }

                (quotient, remainder) = Math.DivRem(low, divisor);
            }
            else
            {
                int unused = 64 - (sizeof(T) * 16);
                long dividend = (long)(Dividend<T>(s) << unused) >> unused;
                if (dividend == long.MinValue && divisor == -1)
                {
                    return Fault.De(s);
                }

                (quotient, remainder) = Math.DivRem(dividend, divisor);
                if (Signed(T.CreateTruncating(quotient)) != quotient)
                {
                    return Fault.De(s);
                }
            }

            SetWide(s, T.CreateTruncating(quotient), T.CreateTruncating(remainder));
            return Flow.Next;
        }

        /// <summary>The smallest dividend with divisor -1 is one whose quotient does not fit, and which the host cannot divide.</summary>
        private static Flow Divide128(CpuState* s, Int128 dividend, long divisor)
        {
            if (dividend == Int128.MinValue)
            {
                return Fault.De(s);
            }

            Int128 quotient = dividend / divisor;
            if (quotient < long.MinValue || quotient > long.MaxValue)
            {
                return Fault.De(s);
            }

            SetWide(s, (ulong)(long)quotient, (ulong)(long)(dividend - (quotient * divisor)));
            return Flow.Next;
        }
    }

    /// <summary>AX, DX:AX or EDX:EAX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Dividend<T>(CpuState* s)
        where T : unmanaged => sizeof(T) switch
        {
            1 => (ushort)s->Gpr[Gpr.Rax],
            2 => (uint)((ushort)s->Gpr[Gpr.Rdx] << 16) | (ushort)s->Gpr[Gpr.Rax],
            _ => (s->Gpr[Gpr.Rdx] << 32) | (uint)s->Gpr[Gpr.Rax],
        };

    private static Flow R<TOp, T>(CpuState* s, Insn* i)
        where TOp : IWide
        where T : unmanaged, IBinaryInteger<T> => TOp.Do(s, Operand.Get<T>(s, i->R0));

    private static Flow M<TOp, T>(CpuState* s, Insn* i)
        where TOp : IWide
        where T : unmanaged, IBinaryInteger<T> => Mem.Load(s, i, out T b) ? TOp.Do(s, b) : Flow.Abort;

    private static Flow ImulRR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, Multiply(s, Operand.Get<T>(s, i->R0), Operand.Get<T>(s, i->R1), out _));
        return Flow.Next;
    }

    private static Flow ImulRM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T b))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, Multiply(s, Operand.Get<T>(s, i->R0), b, out _));
        return Flow.Next;
    }

    private static Flow ImulRRI<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, Multiply(s, Operand.Get<T>(s, i->R1), T.CreateTruncating(i->Imm), out _));
        return Flow.Next;
    }

    private static Flow ImulRMI<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T a))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, Multiply(s, a, T.CreateTruncating(i->Imm), out _));
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddFamily<Mul>(b, Code.Mul_rm8, Code.Mul_rm16);
        AddFamily<Imul>(b, Code.Imul_rm8, Code.Imul_rm16);
        AddFamily<Div>(b, Code.Div_rm8, Code.Div_rm16);
        AddFamily<Idiv>(b, Code.Idiv_rm8, Code.Idiv_rm16);
        b.Add(Code.Imul_r16_rm16, &ImulRR<ushort>, &ImulRM<ushort>);
        b.Add(Code.Imul_r32_rm32, &ImulRR<uint>, &ImulRM<uint>);
        b.Add(Code.Imul_r64_rm64, &ImulRR<ulong>, &ImulRM<ulong>);
        b.Add(Code.Imul_r16_rm16_imm16, &ImulRRI<ushort>, &ImulRMI<ushort>);
        b.Add(Code.Imul_r32_rm32_imm32, &ImulRRI<uint>, &ImulRMI<uint>);
        b.Add(Code.Imul_r64_rm64_imm32, &ImulRRI<ulong>, &ImulRMI<ulong>);
        b.Add(Code.Imul_r16_rm16_imm8, &ImulRRI<ushort>, &ImulRMI<ushort>);
        b.Add(Code.Imul_r32_rm32_imm8, &ImulRRI<uint>, &ImulRMI<uint>);
        b.Add(Code.Imul_r64_rm64_imm8, &ImulRRI<ulong>, &ImulRMI<ulong>);
    }

    private static void AddFamily<TOp>(IsaBuilder b, Code rm8, Code rm16)
        where TOp : IWide
    {
        b.Add(rm8, &R<TOp, byte>, &M<TOp, byte>);
        b.Add(rm16, &R<TOp, ushort>, &M<TOp, ushort>);
        b.Add(rm16 + 1, &R<TOp, uint>, &M<TOp, uint>);
        b.Add(rm16 + 2, &R<TOp, ulong>, &M<TOp, ulong>);
    }
}
