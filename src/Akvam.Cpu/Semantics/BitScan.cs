using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>BSF, BSR, LZCNT, TZCNT, POPCNT, CRC32. Flags that the manuals leave undefined are clear (see <see cref="UndefinedFlags"/>). [APM3 BSF] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class BitScan
{
    private interface IScan
    {
        static abstract void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>;
    }

    /// <summary>A zero source sets ZF and leaves all of the destination alone. [APM3 BSF]</summary>
    private readonly struct Bsf : IScan
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>
        {
            LazyFlags.WriteLazy(s, v == T.Zero ? Rflags.ZF : 0);
            if (v != T.Zero)
            {
                Operand.Set(s, to, T.TrailingZeroCount(v));
            }
        }
    }

    private readonly struct Bsr : IScan
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>
        {
            LazyFlags.WriteLazy(s, v == T.Zero ? Rflags.ZF : 0);
            if (v != T.Zero)
            {
                Operand.Set(s, to, T.CreateTruncating(BitOperations.Log2(ulong.CreateTruncating(v))));
            }
        }
    }

    private readonly struct Lzcnt : IScan
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = T.LeadingZeroCount(v);
            LazyFlags.WriteLazy(s, (v == T.Zero ? Rflags.CF : 0) | (r == T.Zero ? Rflags.ZF : 0));
            Operand.Set(s, to, r);
        }
    }

    private readonly struct Tzcnt : IScan
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>
        {
            T r = T.TrailingZeroCount(v);
            LazyFlags.WriteLazy(s, (v == T.Zero ? Rflags.CF : 0) | (r == T.Zero ? Rflags.ZF : 0));
            Operand.Set(s, to, r);
        }
    }

    /// <summary>ZF for a zero source; the other five flags are cleared. [APM3 POPCNT]</summary>
    private readonly struct Popcnt : IScan
    {
        public static void Do<T>(CpuState* s, byte to, T v)
            where T : unmanaged, IBinaryInteger<T>
        {
            LazyFlags.WriteLazy(s, v == T.Zero ? Rflags.ZF : 0);
            Operand.Set(s, to, T.PopCount(v));
        }
    }

    private static Flow RR<TOp, T>(CpuState* s, Insn* i)
        where TOp : IScan
        where T : unmanaged, IBinaryInteger<T>
    {
        TOp.Do(s, i->R0, Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow RM<TOp, T>(CpuState* s, Insn* i)
        where TOp : IScan
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        TOp.Do(s, i->R0, v);
        return Flow.Next;
    }

    /// <summary>One step of CRC-32C; the result is 32 bits wide whatever the destination.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Crc<T>(CpuState* s, byte to, T v)
        where T : unmanaged, IBinaryInteger<T>
    {
        uint crc = Operand.Get<uint>(s, to);
        Operand.Set(s, to, sizeof(T) switch
        {
            1 => BitOperations.Crc32C(crc, byte.CreateTruncating(v)),
            2 => BitOperations.Crc32C(crc, ushort.CreateTruncating(v)),
            4 => BitOperations.Crc32C(crc, uint.CreateTruncating(v)),
            _ => BitOperations.Crc32C(crc, ulong.CreateTruncating(v)),
        });
    }

    private static Flow CrcRR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Crc(s, i->R0, Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow CrcRM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        Crc(s, i->R0, v);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddFamily<Bsf>(b, Code.Bsf_r16_rm16);
        AddFamily<Bsr>(b, Code.Bsr_r16_rm16);
        AddFamily<Lzcnt>(b, Code.Lzcnt_r16_rm16);
        AddFamily<Tzcnt>(b, Code.Tzcnt_r16_rm16);
        AddFamily<Popcnt>(b, Code.Popcnt_r16_rm16);
        b.Add(Code.Crc32_r32_rm8, &CrcRR<byte>, &CrcRM<byte>);
        b.Add(Code.Crc32_r64_rm8, &CrcRR<byte>, &CrcRM<byte>);
        b.Add(Code.Crc32_r32_rm16, &CrcRR<ushort>, &CrcRM<ushort>);
        b.Add(Code.Crc32_r32_rm32, &CrcRR<uint>, &CrcRM<uint>);
        b.Add(Code.Crc32_r64_rm64, &CrcRR<ulong>, &CrcRM<ulong>);
    }

    private static void AddFamily<TOp>(IsaBuilder b, Code r16)
        where TOp : IScan
    {
        b.Add(r16, &RR<TOp, ushort>, &RM<TOp, ushort>);
        b.Add(r16 + 1, &RR<TOp, uint>, &RM<TOp, uint>);
        b.Add(r16 + 2, &RR<TOp, ulong>, &RM<TOp, ulong>);
    }
}
