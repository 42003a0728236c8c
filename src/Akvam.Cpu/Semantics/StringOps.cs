using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>MOVS, STOS, LODS, CMPS, SCAS. Repeated MOVS and STOS work on whole pages where that cannot be told from single elements. [APM3 MOVS] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class StringOps
{
    /// <summary>
    /// How many of <paramref name="limit"/> upward elements from an offset stay in one page, within the wrap of the address size and, outside flat
    /// addressing, the segment. 1 when in doubt: single elements are always checked for themselves.
    /// </summary>
    internal static ulong Fit(CpuState* s, Insn* i, int register, ulong linear, int size, ulong limit)
    {
        ulong inPage = (4096 - (linear & 4095)) / (ulong)size;
        limit = Math.Min(limit, inPage);
        int segment = register == Gpr.Rdi ? Segment.Es : i->Segment;
        if (limit <= 1 || StringAddress.IsFlat(s, segment))
        {
            return limit;
        }

        ulong mask = Mem.AddressMask(i->Flags), offset = s->Gpr[register] & mask;
        SegmentRegister* r = &s->Es + segment;
        bool code64 = (s->Mode & ModeKey.Code64) != 0;
        if (code64 && mask == ulong.MaxValue)
        {
            return limit;
        }

        // Offsets of an expand-down segment end elsewhere; they are rare enough to go one by one.
        bool expandsDown = (s->Mode & (ModeKey.Protected | ModeKey.Virtual8086 | ModeKey.Code64)) == ModeKey.Protected
            && (r->Type & (SegmentRegister.Code | SegmentRegister.ExpandDown)) == SegmentRegister.ExpandDown;
        ulong last = code64 ? mask : Math.Min(r->Limit, mask);
        return expandsDown || offset > last ? 1 : Math.Max(1, Math.Min(limit, (last - offset + 1) / (ulong)size));
    }

    private readonly struct Movs<T> : IStringStep
        where T : unmanaged
    {
        public static Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done)
        {
            done = 0;
            if (!RepLoop.Address(s, i, Gpr.Rsi, sizeof(T), AccessKind.Read, out ulong from)
                || !RepLoop.Address(s, i, Gpr.Rdi, sizeof(T), AccessKind.Write, out ulong to))
            {
                return Flow.Abort;
            }

            if (limit > 1 && (s->SystemFlags & Rflags.DF) == 0)
            {
                TlbEntry* source = Mem.Entry(s, from), target = Mem.Entry(s, to);
                if (source->Read == ((from & ~TlbTag.Mask) | s->DataTag) && target->Write == ((to & ~TlbTag.Mask) | s->DataTag))
                {
                    ulong count = Fit(s, i, Gpr.Rdi, to, sizeof(T), Fit(s, i, Gpr.Rsi, from, sizeof(T), limit));
                    if (count > 1)
                    {
                        Copy((byte*)(from + source->Addend), (byte*)(to + target->Addend), (long)count);
                        return Finish(s, i, count, out done);
                    }
                }
            }

            if (!Mem.LoadLinear(s, from, out T v))
            {
                return Flow.Abort;
            }

            Flow flow = Mem.StoreLinear(s, to, v);
            return flow == Flow.Abort ? flow : Finish(s, i, 1, out done) | flow;
        }

        private static Flow Finish(CpuState* s, Insn* i, ulong count, out ulong done)
        {
            RepLoop.Advance(s, i->Flags, Gpr.Rsi, sizeof(T), count);
            RepLoop.Advance(s, i->Flags, Gpr.Rdi, sizeof(T), count);
            done = count;
            return Flow.Next;
        }

        /// <summary>A target that overlaps the source from above sees what earlier elements wrote: memmove would not.</summary>
        private static void Copy(byte* from, byte* to, long count)
        {
            long bytes = count * sizeof(T);
            if ((nuint)(to - from) >= (nuint)bytes)
            {
                Buffer.MemoryCopy(from, to, bytes, bytes);
                return;
            }

            for (long n = 0; n < bytes; n += sizeof(T))
            {
                Unsafe.WriteUnaligned(to + n, Unsafe.ReadUnaligned<T>(from + n));
            }
        }

        public static bool IsLast(CpuState* s, Insn* i) => false;
    }

    private readonly struct Stos<T> : IStringStep
        where T : unmanaged
    {
        public static Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done)
        {
            done = 0;
            if (!RepLoop.Address(s, i, Gpr.Rdi, sizeof(T), AccessKind.Write, out ulong to))
            {
                return Flow.Abort;
            }

            T value = Operand.Get<T>(s, Gpr.Rax * 8);
            ulong count = 1;
            var flow = Flow.Next;
            TlbEntry* target = Mem.Entry(s, to);
            if (limit > 1 && (s->SystemFlags & Rflags.DF) == 0 && target->Write == ((to & ~TlbTag.Mask) | s->DataTag))
            {
                count = Fit(s, i, Gpr.Rdi, to, sizeof(T), limit);
            }

            if (count > 1)
            {
                new Span<T>((void*)(to + target->Addend), (int)count).Fill(value);
            }
            else
            {
                count = 1;
                flow = Mem.StoreLinear(s, to, value);
                if (flow == Flow.Abort)
                {
                    return flow;
                }
            }

            RepLoop.Advance(s, i->Flags, Gpr.Rdi, sizeof(T), count);
            done = count;
            return flow;
        }

        public static bool IsLast(CpuState* s, Insn* i) => false;
    }

    private readonly struct Lods<T> : IStringStep
        where T : unmanaged
    {
        public static Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done)
        {
            done = 0;
            if (!RepLoop.Address(s, i, Gpr.Rsi, sizeof(T), AccessKind.Read, out ulong from) || !Mem.LoadLinear(s, from, out T v))
            {
                return Flow.Abort;
            }

            Operand.Set(s, Gpr.Rax * 8, v);
            RepLoop.Advance(s, i->Flags, Gpr.Rsi, sizeof(T));
            done = 1;
            return Flow.Next;
        }

        public static bool IsLast(CpuState* s, Insn* i) => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Compare<T>(CpuState* s, T a, T b)
        where T : unmanaged, IBinaryInteger<T>
    {
        T r = a - b;
        LazyFlags.SetArithmetic(s, r, (~a & b) | ((~a | b) & r));
    }

    /// <summary>REPE goes on while equal, REPNE while not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Ends(CpuState* s, Insn* i) => LazyFlags.Zf(s) == ((i->Flags & InsnFlags.Repne) != 0);

    private readonly struct Cmps<T> : IStringStep
        where T : unmanaged, IBinaryInteger<T>
    {
        public static Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done)
        {
            done = 0;
            if (!RepLoop.Address(s, i, Gpr.Rsi, sizeof(T), AccessKind.Read, out ulong first)
                || !RepLoop.Address(s, i, Gpr.Rdi, sizeof(T), AccessKind.Read, out ulong second)
                || !Mem.LoadLinear(s, first, out T a)
                || !Mem.LoadLinear(s, second, out T b))
            {
                return Flow.Abort;
            }

            Compare(s, a, b);
            RepLoop.Advance(s, i->Flags, Gpr.Rsi, sizeof(T));
            RepLoop.Advance(s, i->Flags, Gpr.Rdi, sizeof(T));
            done = 1;
            return Flow.Next;
        }

        public static bool IsLast(CpuState* s, Insn* i) => Ends(s, i);
    }

    private readonly struct Scas<T> : IStringStep
        where T : unmanaged, IBinaryInteger<T>
    {
        public static Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done)
        {
            done = 0;
            if (!RepLoop.Address(s, i, Gpr.Rdi, sizeof(T), AccessKind.Read, out ulong from) || !Mem.LoadLinear(s, from, out T b))
            {
                return Flow.Abort;
            }

            Compare(s, Operand.Get<T>(s, Gpr.Rax * 8), b);
            RepLoop.Advance(s, i->Flags, Gpr.Rdi, sizeof(T));
            done = 1;
            return Flow.Next;
        }

        public static bool IsLast(CpuState* s, Insn* i) => Ends(s, i);
    }

    private static Flow Execute<TStep>(CpuState* s, Insn* i)
        where TStep : IStringStep => RepLoop.Execute<TStep>(s, i);

    internal static void Register(IsaBuilder b)
    {
        Add<Movs<byte>, Movs<ushort>, Movs<uint>, Movs<ulong>>(b, Code.Movsb_m8_m8);
        Add<Cmps<byte>, Cmps<ushort>, Cmps<uint>, Cmps<ulong>>(b, Code.Cmpsb_m8_m8);
        Add<Stos<byte>, Stos<ushort>, Stos<uint>, Stos<ulong>>(b, Code.Stosb_m8_AL);
        Add<Lods<byte>, Lods<ushort>, Lods<uint>, Lods<ulong>>(b, Code.Lodsb_AL_m8);
        Add<Scas<byte>, Scas<ushort>, Scas<uint>, Scas<ulong>>(b, Code.Scasb_AL_m8);
    }

    private static void Add<T8, T16, T32, T64>(IsaBuilder b, Code first)
        where T8 : IStringStep
        where T16 : IStringStep
        where T32 : IStringStep
        where T64 : IStringStep
    {
        b.Add(first, &Execute<T8>);
        b.Add(first + 1, &Execute<T16>);
        b.Add(first + 2, &Execute<T32>);
        b.Add(first + 3, &Execute<T64>);
    }
}
