using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>MOV, PUSH and POP of segment registers, LDS, LES, LFS, LGS, LSS. [APM3 MOV] [APM3 POP] [APM3 LDS]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class SegmentMoves
{
    private static Flow MovRegSeg<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ushort selector = (&s->Es)[i->R1].Selector;
        Operand.Set(s, i->R0, Widen<T>(selector));
        return Flow.Next;
    }

    /// <summary>The memory form stores 16 bits whatever the operand size. [APM3 MOV]</summary>
    private static Flow MovMemSeg(CpuState* s, Insn* i) => Mem.Store(s, i, (&s->Es)[i->R1].Selector);

    private static Flow MovSegReg(CpuState* s, Insn* i) => Move(s, i->R0, Operand.Get<ushort>(s, i->R1));

    private static Flow MovSegMem(CpuState* s, Insn* i)
    {
        // Loading CS is no instruction, whatever memory it names.
        if (i->R0 == Segment.Cs)
        {
            return Fault.Ud(s);
        }

        return Mem.Load(s, i, out ushort selector) ? Move(s, i->R0, selector) : Flow.Abort;
    }

    private static Flow Move(CpuState* s, int segment, ushort selector)
    {
        if (segment == Segment.Cs)
        {
            return Fault.Ud(s);
        }

        Flow flow = Segments.Load(s, segment, selector);
        return segment == Segment.Ss && flow != Flow.Abort ? ShadowAfterSs(s) : flow;
    }

    /// <summary>Interrupts and debug traps wait until SP is loaded too: for one instruction. [SDM3 6.8.3]</summary>
    private static Flow ShadowAfterSs(CpuState* s)
    {
        s->Shadow = InterruptShadow.MovSs;
        Processor.Post(s, Request.Evaluate);
        return Flow.End;
    }

    /// <summary>The upper part of the slot is written with zeros. [APM3 PUSH]</summary>
    private static Flow Push<T>(CpuState* s, Insn* i)
        where T : unmanaged => Stack.Push(s, Widen<T>((&s->Es)[i->R0].Selector));

    private static Flow Pop<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        int segment = i->R0;
        if (!Stack.Peek(s, 0, out T slot) || !Segments.Check(s, segment, *(ushort*)&slot, out SegmentRegister value))
        {
            return Flow.Abort;
        }

        // The pointer that was popped from moves, in the width of the old SS.
        Stack.Release(s, sizeof(T));
        Flow flow = Segments.Commit(s, segment, in value);
        return segment == Segment.Ss ? ShadowAfterSs(s) : flow;
    }

    private interface ISegment
    {
        static abstract int Number { get; }
    }

    private readonly struct Es : ISegment
    {
        public static int Number => Segment.Es;
    }

    private readonly struct Ss : ISegment
    {
        public static int Number => Segment.Ss;
    }

    private readonly struct Ds : ISegment
    {
        public static int Number => Segment.Ds;
    }

    private readonly struct Fs : ISegment
    {
        public static int Number => Segment.Fs;
    }

    private readonly struct Gs : ISegment
    {
        public static int Number => Segment.Gs;
    }

    /// <summary>LDS and its like: offset, then selector. There is no shadow after LSS: it loads both.</summary>
    private static Flow LoadFar<TSegment, T>(CpuState* s, Insn* i)
        where TSegment : ISegment
        where T : unmanaged
    {
        if (!FarPointer.Load(s, i, sizeof(T), out ushort selector, out ulong offset))
        {
            return Flow.Abort;
        }

        Flow flow = Segments.Load(s, TSegment.Number, selector);
        if (flow != Flow.Abort)
        {
            Operand.Set(s, i->R0, *(T*)&offset);
        }

        return flow;
    }

    private static T Widen<T>(ushort value)
        where T : unmanaged
    {
        ulong wide = value;
        return *(T*)&wide;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Mov_rm16_Sreg, &MovRegSeg<ushort>, &MovMemSeg);
        b.Add(Code.Mov_r32m16_Sreg, &MovRegSeg<uint>, &MovMemSeg);
        b.Add(Code.Mov_r64m16_Sreg, &MovRegSeg<ulong>, &MovMemSeg);
        b.Add(Code.Mov_Sreg_rm16, &MovSegReg, &MovSegMem, legality: Legality.EndsBlock);
        b.Add(Code.Mov_Sreg_r32m16, &MovSegReg, &MovSegMem, legality: Legality.EndsBlock);
        b.Add(Code.Mov_Sreg_r64m16, &MovSegReg, &MovSegMem, legality: Legality.EndsBlock);
        Code[] push16 = [Code.Pushw_ES, Code.Pushw_CS, Code.Pushw_SS, Code.Pushw_DS, Code.Pushw_FS, Code.Pushw_GS];
        Code[] push32 = [Code.Pushd_ES, Code.Pushd_CS, Code.Pushd_SS, Code.Pushd_DS, Code.Pushd_FS, Code.Pushd_GS];
        for (int n = 0; n < 6; n++)
        {
            b.Add(push16[n], &Push<ushort>);
            b.Add(push32[n], &Push<uint>);
        }

        b.Add(Code.Pushq_FS, &Push<ulong>);
        b.Add(Code.Pushq_GS, &Push<ulong>);
        Code[] pop16 = [Code.Popw_ES, Code.Popw_SS, Code.Popw_DS, Code.Popw_FS, Code.Popw_GS];
        Code[] pop32 = [Code.Popd_ES, Code.Popd_SS, Code.Popd_DS, Code.Popd_FS, Code.Popd_GS];
        for (int n = 0; n < 5; n++)
        {
            b.Add(pop16[n], &Pop<ushort>, legality: Legality.EndsBlock);
            b.Add(pop32[n], &Pop<uint>, legality: Legality.EndsBlock);
        }

        b.Add(Code.Popq_FS, &Pop<ulong>, legality: Legality.EndsBlock);
        b.Add(Code.Popq_GS, &Pop<ulong>, legality: Legality.EndsBlock);
        AddLoadFar<Es>(b, Code.Les_r16_m1616, Code.Les_r32_m1632);
        AddLoadFar<Ds>(b, Code.Lds_r16_m1616, Code.Lds_r32_m1632);
        AddLoadFar<Ss>(b, Code.Lss_r16_m1616, Code.Lss_r32_m1632, Code.Lss_r64_m1664);
        AddLoadFar<Fs>(b, Code.Lfs_r16_m1616, Code.Lfs_r32_m1632, Code.Lfs_r64_m1664);
        AddLoadFar<Gs>(b, Code.Lgs_r16_m1616, Code.Lgs_r32_m1632, Code.Lgs_r64_m1664);
    }

    private static void AddLoadFar<TSegment>(IsaBuilder b, Code r16, Code r32, Code r64 = Code.INVALID)
        where TSegment : ISegment
    {
        b.Add(r16, null, &LoadFar<TSegment, ushort>, legality: Legality.EndsBlock);
        b.Add(r32, null, &LoadFar<TSegment, uint>, legality: Legality.EndsBlock);
        if (r64 != Code.INVALID)
        {
            b.Add(r64, null, &LoadFar<TSegment, ulong>, legality: Legality.EndsBlock);
        }
    }
}
