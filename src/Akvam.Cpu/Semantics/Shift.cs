using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>
/// ROL, ROR, RCL, RCR, SHL, SHR, SAR, by 1, CL or an immediate. A masked count of 0 changes no flags. OF for counts above 1, which the manuals leave
/// undefined, follows the formula of count 1, as processors compute it. [APM3 SHL] [SDM2 SAL/SAR/SHL/SHR] [SDM2 RCL/RCR/ROL/ROR]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Shift
{
    /// <summary>A shift by a count that is masked and not zero.</summary>
    private interface IShift
    {
        static abstract T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Top<T>(ulong r)
        where T : unmanaged => (r >> ((sizeof(T) * 8) - 1)) & 1;

    /// <summary>The bit below the top one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Next<T>(ulong r)
        where T : unmanaged => (r >> ((sizeof(T) * 8) - 2)) & 1;

    private readonly struct Shl : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong v = ulong.CreateTruncating(a);
            ulong r = v << count;
            ulong carry = sizeof(T) == 8 ? (v >> (64 - count)) & 1 : (r >> (sizeof(T) * 8)) & 1;
            LazyFlags.SetResult(s, T.CreateTruncating(r), carry, carry ^ Top<T>(r));
            return T.CreateTruncating(r);
        }
    }

    private readonly struct Shr : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            ulong v = ulong.CreateTruncating(a);
            ulong r = v >> count;
            LazyFlags.SetResult(s, T.CreateTruncating(r), (v >> (count - 1)) & 1, Top<T>(r) ^ Next<T>(r));
            return T.CreateTruncating(r);
        }
    }

    private readonly struct Sar : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            int unused = 64 - (sizeof(T) * 8);
            long v = (long)(ulong.CreateTruncating(a) << unused) >> unused;
            T r = T.CreateTruncating(v >> count);
            LazyFlags.SetResult(s, r, (ulong)(v >> (count - 1)) & 1, 0);
            return r;
        }
    }

    private readonly struct Rol : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            T rotated = T.RotateLeft(a, count);
            ulong r = ulong.CreateTruncating(rotated);
            LazyFlags.SetCarryOverflow(s, r & 1, (r & 1) ^ Top<T>(r));
            return rotated;
        }
    }

    private readonly struct Ror : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            T rotated = T.RotateRight(a, count);
            ulong r = ulong.CreateTruncating(rotated);
            LazyFlags.SetCarryOverflow(s, Top<T>(r), Top<T>(r) ^ Next<T>(r));
            return rotated;
        }
    }

    /// <summary>Rotates through CF: over 9, 17, 33 or 65 bits; a count that is a multiple of these changes nothing.</summary>
    private readonly struct Rcl : IShift
    {
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            int width = sizeof(T) * 8;
            count %= width + 1;
            if (count == 0)
            {
                return a;
            }

            ulong v = ulong.CreateTruncating(a);
            ulong carry = LazyFlags.Cf(s) ? 1ul : 0;
            ulong r = (v << count) | (carry << (count - 1)) | (count > 1 ? v >> (width + 1 - count) : 0);
            carry = (v >> (width - count)) & 1;
            LazyFlags.SetCarryOverflow(s, carry, carry ^ Top<T>(r));
            return T.CreateTruncating(r);
        }
    }

    private readonly struct Rcr : IShift
    {
        public static T Do<T>(CpuState* s, T a, int count)
            where T : unmanaged, IBinaryInteger<T>
        {
            int width = sizeof(T) * 8;
            count %= width + 1;
            if (count == 0)
            {
                return a;
            }

            ulong v = ulong.CreateTruncating(a);
            ulong carry = LazyFlags.Cf(s) ? 1ul : 0;
            ulong r = (count < 64 ? v >> count : 0) | (carry << (width - count)) | (count > 1 ? v << (width + 1 - count) : 0);
            LazyFlags.SetCarryOverflow(s, (v >> (count - 1)) & 1, Top<T>(r) ^ Next<T>(r));
            return T.CreateTruncating(r);
        }
    }

    private interface ICount
    {
        static abstract int Get(CpuState* s, Insn* i);
    }

    private readonly struct One : ICount
    {
        public static int Get(CpuState* s, Insn* i) => 1;
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
        Operand.Set(s, i->R0, count == 0 ? v : TOp.Do(s, v, count));
        return Flow.Next;
    }

    /// <summary>The operand has to be writable even when the count is 0.</summary>
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
            *p = TOp.Do(s, *p, count);
        }

        return Mem.EndModify(s, p);
    }

    internal static void Register(IsaBuilder b)
    {
        AddFamily<Rol>(b, 0);
        AddFamily<Ror>(b, 1);
        AddFamily<Rcl>(b, 2);
        AddFamily<Rcr>(b, 3);
        AddFamily<Shl>(b, 4);
        AddFamily<Shr>(b, 5);
        AddFamily<Shl>(b, 6);
        AddFamily<Sar>(b, 7);
    }

    /// <summary>The encodings of one operation by its ModRM.reg number; Iced numbers them in that order, /6 being SHL's alias SAL.</summary>
    private static void AddFamily<TOp>(IsaBuilder b, int number)
        where TOp : IShift
    {
        Add<TOp, Immediate>(b, Code.Rol_rm8_imm8 + number, Code.Rol_rm16_imm8 + (number * 3));
        Add<TOp, One>(b, Code.Rol_rm8_1 + number, Code.Rol_rm16_1 + (number * 3));
        Add<TOp, Cl>(b, Code.Rol_rm8_CL + number, Code.Rol_rm16_CL + (number * 3));
    }

    private static void Add<TOp, TCount>(IsaBuilder b, Code rm8, Code rm16)
        where TOp : IShift
        where TCount : ICount
    {
        b.Add(rm8, &R<TOp, TCount, byte>, &M<TOp, TCount, byte>);
        b.Add(rm16, &R<TOp, TCount, ushort>, &M<TOp, TCount, ushort>);
        b.Add(rm16 + 1, &R<TOp, TCount, uint>, &M<TOp, TCount, uint>);
        b.Add(rm16 + 2, &R<TOp, TCount, ulong>, &M<TOp, TCount, ulong>);
    }
}
