using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Flags;

/// <summary>
/// The six arithmetic flags, kept as the last result and its carries until somebody reads one.
/// </summary>
/// <remarks>
/// Valid because every write sets both words. Of <see cref="CpuState.FlagResult"/> (sign-extended) ZF is "zero", SF bit 63, PF the parity of the low
/// byte. Of <see cref="CpuState.FlagAux"/> bit 63 is CF (the carry out of the top bit), bit 62 the carry into it (OF is their difference), bit 3 AF;
/// bits 8-15 and 16 flip PF and SF, so that any combination of flags can be represented.
/// </remarks>
public static unsafe class LazyFlags
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong SignExtend<T>(T v)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (typeof(T) == typeof(byte))
        {
            return (ulong)(long)(sbyte)byte.CreateTruncating(v);
        }

        if (typeof(T) == typeof(ushort))
        {
            return (ulong)(long)(short)ushort.CreateTruncating(v);
        }

        return typeof(T) == typeof(uint) ? (ulong)(long)(int)uint.CreateTruncating(v) : ulong.CreateTruncating(v);
    }

    /// <summary>Flags of an addition or subtraction with the vector of carries (or borrows) out of each bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetArithmetic<T>(CpuState* s, T result, T carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong c = ulong.CreateTruncating(carries);
        s->FlagResult = SignExtend(result);
        s->FlagAux = ((c << (64 - (sizeof(T) * 8))) & 0xC000_0000_0000_0000) | (c & 8);
    }

    /// <summary>Flags of a logical operation: CF, OF and AF are clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetLogic<T>(CpuState* s, T result)
        where T : unmanaged, IBinaryInteger<T>
    {
        s->FlagResult = SignExtend(result);
        s->FlagAux = 0;
    }

    /// <summary>As <see cref="SetArithmetic{T}"/>, but CF stays what it was (INC, DEC).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetKeepCarry<T>(CpuState* s, T result, T carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong c = ulong.CreateTruncating(carries);
        ulong top = (c << (64 - (sizeof(T) * 8))) & 0xC000_0000_0000_0000;
        ulong overflow = (top ^ (top << 1)) & (1ul << 63);
        ulong carry = s->FlagAux & (1ul << 63);
        s->FlagResult = SignExtend(result);
        s->FlagAux = carry | ((overflow ^ carry) >> 1) | (c & 8);
    }

    /// <summary>SF, ZF and PF of the result, with CF, OF and AF as given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetResult<T>(CpuState* s, T result, bool carry, bool overflow, bool adjust = false)
        where T : unmanaged, IBinaryInteger<T>
    {
        s->FlagResult = SignExtend(result);
        s->FlagAux = Carries(carry, overflow) | (adjust ? 8ul : 0);
    }

    /// <summary>SF, ZF and PF of the result, with CF and OF given as 0 or 1; AF is clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetResult<T>(CpuState* s, T result, ulong carry, ulong overflow)
        where T : unmanaged, IBinaryInteger<T>
    {
        s->FlagResult = SignExtend(result);
        s->FlagAux = (carry << 63) | ((carry ^ overflow) << 62);
    }

    /// <summary>Sets CF and OF alone, given as 0 or 1 (rotates).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCarryOverflow(CpuState* s, ulong carry, ulong overflow) =>
        s->FlagAux = (s->FlagAux & ~0xC000_0000_0000_0000) | (carry << 63) | ((carry ^ overflow) << 62);

    private static ulong Carries(bool carry, bool overflow) => (carry ? 1ul << 63 : 0) | (carry != overflow ? 1ul << 62 : 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Cf(CpuState* s) => (long)s->FlagAux < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Zf(CpuState* s) => s->FlagResult == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Sf(CpuState* s) => (long)(s->FlagResult ^ (s->FlagAux << 47)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of(CpuState* s) => (long)(s->FlagAux ^ (s->FlagAux << 1)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Pf(CpuState* s) => (BitOperations.PopCount((uint)(byte)(s->FlagResult ^ (s->FlagAux >> 8))) & 1) == 0;

    public static bool Af(CpuState* s) => (s->FlagAux & 8) != 0;

    /// <summary>Sets CF alone.</summary>
    public static void SetCf(CpuState* s, bool value)
    {
        bool of = Of(s);
        s->FlagAux = (s->FlagAux & ~0xC000_0000_0000_0000) | Carries(value, of);
    }

    /// <summary>All of RFLAGS; without a branch, which would be a random one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s)
    {
        ulong result = s->FlagResult, aux = s->FlagAux;
        ulong odd = (ulong)BitOperations.PopCount((uint)(byte)(result ^ (aux >> 8))) & 1;
        return s->SystemFlags
            | (aux >> 63) | ((odd ^ 1) << 2) | ((aux & 8) << 1)
            | (result == 0 ? Rflags.ZF : 0) | ((result ^ (aux << 47)) >> 63 << 7) | ((aux ^ (aux << 1)) >> 63 << 11);
    }

    /// <summary>Sets CF, PF, AF, ZF, SF and OF from the bits of <paramref name="flags"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteLazy(CpuState* s, ulong flags)
    {
        // ZF clear: a result that is neither zero nor odd in its low byte, nor negative.
        s->FlagResult = (~flags & Rflags.ZF) << 2;
        s->FlagAux = (flags << 63) | (((flags ^ (flags >> 11)) & 1) << 62) | ((flags & Rflags.AF) >> 1)
            | ((~flags & Rflags.PF) << 6) | ((flags & Rflags.SF) << 9);
    }

    /// <summary>
    /// Sets all of RFLAGS without any check: reserved bits are forced. Changing IF, TF, VM or AC needs Processor.FlagsChanged afterwards.
    /// </summary>
    public static void Write(CpuState* s, ulong flags)
    {
        s->SystemFlags = (flags & Rflags.Defined & ~Rflags.Lazy) | Rflags.Fixed;
        WriteLazy(s, flags);
    }
}
