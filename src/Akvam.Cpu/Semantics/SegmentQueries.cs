using System.Numerics;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>LAR, LSL, VERR, VERW, ARPL: questions about selectors, answered in ZF. [APM3 LAR] [APM3 LSL] [APM3 VERR] [APM3 ARPL]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class SegmentQueries
{
    /// <summary>System types that LAR knows, one bit a type; in long mode 16-bit TSSs and gates and the task gate do not exist.</summary>
    private const int LarTypes = 0x1A3E, LarTypesLong = 0x1A04;
    private const int LslTypes = 0x0A0E, LslTypesLong = 0x0A04;

    private interface IQuery
    {
        /// <summary>True when the segment qualifies; <paramref name="answer"/> is then the result of LAR or LSL.</summary>
        static abstract bool Ask(CpuState* s, ushort selector, Descriptor d, out uint answer);
    }

    private readonly struct Lar : IQuery
    {
        public static bool Ask(CpuState* s, ushort selector, Descriptor d, out uint answer)
        {
            answer = (uint)(d.Raw >> 32) & 0x00FF_FF00;
            return IsKnown(s, d, LarTypes, LarTypesLong) && IsVisible(s, selector, d);
        }
    }

    private readonly struct Lsl : IQuery
    {
        public static bool Ask(CpuState* s, ushort selector, Descriptor d, out uint answer)
        {
            answer = d.Limit;
            return IsKnown(s, d, LslTypes, LslTypesLong) && IsVisible(s, selector, d);
        }
    }

    private readonly struct Verr : IQuery
    {
        public static bool Ask(CpuState* s, ushort selector, Descriptor d, out uint answer)
        {
            answer = 0;
            return d.IsReadable && IsVisible(s, selector, d);
        }
    }

    private readonly struct Verw : IQuery
    {
        public static bool Ask(CpuState* s, ushort selector, Descriptor d, out uint answer)
        {
            answer = 0;
            return d.IsWritableData && IsVisible(s, selector, d);
        }
    }

    private static bool IsKnown(CpuState* s, Descriptor d, int types, int typesLong) =>
        !d.IsSystem || (((Segments.IsLongMode(s) ? typesLong : types) >> d.Type) & 1) != 0;

    private static bool IsVisible(CpuState* s, ushort selector, Descriptor d) => (d.IsCode && d.IsConforming) || (d.Dpl >= s->Cpl && d.Dpl >= (selector & 3));

    /// <summary>Answers in ZF and <paramref name="answer"/>; false: reading the descriptor faulted.</summary>
    private static bool Ask<TQuery>(CpuState* s, ushort selector, out bool yes, out uint answer)
        where TQuery : IQuery
    {
        yes = false;
        answer = 0;
        if (Segments.IsNull(selector) || !DescriptorTable.Locate(s, selector, 8, out ulong linear))
        {
            return true;
        }

        if (!Mem.LoadSystem(s, linear, out ulong raw))
        {
            return false;
        }

        yes = TQuery.Ask(s, selector, new Descriptor(raw), out answer);
        return true;
    }

    private static Flow QueryReg<TQuery, T>(CpuState* s, Insn* i)
        where TQuery : IQuery
        where T : unmanaged, IBinaryInteger<T> => Query<TQuery, T>(s, i, Operand.Get<ushort>(s, i->R1));

    private static Flow QueryMem<TQuery, T>(CpuState* s, Insn* i)
        where TQuery : IQuery
        where T : unmanaged, IBinaryInteger<T> => Mem.Load(s, i, out ushort selector) ? Query<TQuery, T>(s, i, selector) : Flow.Abort;

    private static Flow Query<TQuery, T>(CpuState* s, Insn* i, ushort selector)
        where TQuery : IQuery
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Ask<TQuery>(s, selector, out bool yes, out uint answer))
        {
            return Flow.Abort;
        }

        SetZf(s, yes);
        if (yes)
        {
            Operand.Set(s, i->R0, T.CreateTruncating(answer));
        }

        return Flow.Next;
    }

    private static Flow VerifyReg<TQuery>(CpuState* s, Insn* i)
        where TQuery : IQuery => Verify<TQuery>(s, Operand.Get<ushort>(s, i->R0));

    private static Flow VerifyMem<TQuery>(CpuState* s, Insn* i)
        where TQuery : IQuery => Mem.Load(s, i, out ushort selector) ? Verify<TQuery>(s, selector) : Flow.Abort;

    private static Flow Verify<TQuery>(CpuState* s, ushort selector)
        where TQuery : IQuery
    {
        if (!Ask<TQuery>(s, selector, out bool yes, out _))
        {
            return Flow.Abort;
        }

        SetZf(s, yes);
        return Flow.Next;
    }

    private static Flow ArplReg(CpuState* s, Insn* i)
    {
        ushort value = Operand.Get<ushort>(s, i->R0);
        int rpl = Operand.Get<ushort>(s, i->R1) & 3;
        bool raise = (value & 3) < rpl;
        if (raise)
        {
            Operand.Set(s, i->R0, (ushort)((value & ~3) | rpl));
        }

        SetZf(s, raise);
        return Flow.Next;
    }

    private static Flow ArplMem(CpuState* s, Insn* i)
    {
        ushort* p = Mem.BeginModify<ushort>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        int rpl = Operand.Get<ushort>(s, i->R1) & 3;
        bool raise = (*p & 3) < rpl;
        if (raise)
        {
            *p = (ushort)((*p & ~3) | rpl);
        }

        SetZf(s, raise);
        return Mem.EndModify(s, p);
    }

    private static void SetZf(CpuState* s, bool value)
    {
        ulong flags = LazyFlags.Read(s);
        LazyFlags.WriteLazy(s, value ? flags | Rflags.ZF : flags & ~Rflags.ZF);
    }

    internal static void Register(IsaBuilder b)
    {
        AddQuery<Lar>(b, Code.Lar_r16_rm16);
        AddQuery<Lsl>(b, Code.Lsl_r16_rm16);
        for (int n = 0; n < 3; n++)
        {
            b.Add(Code.Verr_rm16 + n, &VerifyReg<Verr>, &VerifyMem<Verr>, legality: Legality.Protected);
            b.Add(Code.Verw_rm16 + n, &VerifyReg<Verw>, &VerifyMem<Verw>, legality: Legality.Protected);
        }

        b.Add(Code.Arpl_rm16_r16, &ArplReg, &ArplMem, legality: Legality.Protected);
        b.Add(Code.Arpl_r32m16_r32, &ArplReg, &ArplMem, legality: Legality.Protected);
    }

    private static void AddQuery<TQuery>(IsaBuilder b, Code first)
        where TQuery : IQuery
    {
        b.Add(first, &QueryReg<TQuery, ushort>, &QueryMem<TQuery, ushort>, legality: Legality.Protected);
        b.Add(first + 1, &QueryReg<TQuery, uint>, &QueryMem<TQuery, uint>, legality: Legality.Protected);
        b.Add(first + 2, &QueryReg<TQuery, ulong>, &QueryMem<TQuery, ulong>, legality: Legality.Protected);
    }
}
