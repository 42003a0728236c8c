using System.Numerics;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>NOP and all that processors treat as one, fences, CLFLUSH, UD0-UD2, RDRAND, RDSEED, BOUND. [APM3 NOP] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Misc
{
    private static Flow Nop(CpuState* s, Insn* i) => Flow.Next;

    /// <summary>Guest stores become visible in order as they are; what may pass a fence is a later load.</summary>
    private static Flow Fence(CpuState* s, Insn* i)
    {
        Interlocked.MemoryBarrier();
        return Flow.Next;
    }

    /// <summary>Caches are coherent with everything here; what remains is the translation and its faults, as of a read. [APM3 CLFLUSH]</summary>
    private static Flow Flush(CpuState* s, Insn* i) =>
        Mem.Address(s, i, 1, AccessKind.Read, out ulong linear) && Mem.Probe(s, linear, 1, AccessKind.Read) ? Flow.Next : Flow.Abort;

    private static Flow Undefined(CpuState* s, Insn* i) => Fault.Ud(s);

    /// <summary>With <see cref="ProcessorQuirks.EmulationPrefix"/> and the letters behind it, a prefix that does nothing: here all instructions are emulated.</summary>
    private static Flow Ud2(CpuState* s, Insn* i)
    {
        const int Letters = 3;
        uint letters = 0;
        ulong next = i->NextRip(s);
        if ((Processor.Of(s).Quirks & ProcessorQuirks.EmulationPrefix) == 0
            || !Mem.LoadBytes(s, (s->Mode & ModeKey.Code64) != 0 ? next : (uint)(next + s->CodeBase), (byte*)&letters, Letters)
            || letters != ('k' | 'v' << 8 | 'm' << 16))
        {
            return Fault.Ud(s);
        }

        s->Rip = (next + Letters) & s->RipMask;
        return Flow.Jump;
    }

    /// <summary>
    /// A processor that waits for another gives the host's processor away now and then: the other one may be waiting for that.
    /// </summary>
    private static Flow Pause(CpuState* s, Insn* i)
    {
        const uint YieldEvery = 16;
        if (++s->Pauses % YieldEvery == 0)
        {
            Processor processor = Processor.Of(s);
            if (processor.Group.Processors.Length > 1)
            {
                Thread.Yield();
            }

            if (s->Pauses % IProcessorBus.PausesTold == 0)
            {
                processor.Bus.Paused();
            }
        }

        return Flow.Next;
    }

    /// <summary>Success always: CF set, the other five flags clear.</summary>
    private static Flow Random<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, T.CreateTruncating(Processor.Of(s).Bus.NextRandom()));
        LazyFlags.WriteLazy(s, Rflags.CF);
        return Flow.Next;
    }

    /// <summary>Lower and upper bound are one operand of twice the width; both are signed and inclusive. [APM3 BOUND]</summary>
    private static Flow Bound16(CpuState* s, Insn* i)
    {
        if (!Mem.Load(s, i, out uint bounds))
        {
            return Flow.Abort;
        }

        short index = Operand.Get<short>(s, i->R0);
        return index < (short)bounds || index > (short)(bounds >> 16) ? Fault.Raise(s, State.Vector.BR) : Flow.Next;
    }

    private static Flow Bound32(CpuState* s, Insn* i)
    {
        if (!Mem.Load(s, i, out ulong bounds))
        {
            return Flow.Abort;
        }

        int index = Operand.Get<int>(s, i->R0);
        return index < (int)bounds || index > (int)(bounds >> 32) ? Fault.Raise(s, State.Vector.BR) : Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddNops(b);
        for (Code code = Code.Lfence; code <= Code.Lfence_EF; code++)
        {
            b.Add(code, &Nop);
        }

        for (Code code = Code.Mfence; code <= Code.Mfence_F7; code++)
        {
            b.Add(code, &Fence);
        }

        for (Code code = Code.Sfence; code <= Code.Sfence_FF; code++)
        {
            b.Add(code, &Nop);
        }

        foreach (Code code in (ReadOnlySpan<Code>)[Code.Clflush_m8, Code.Clflushopt_m8, Code.Clwb_m8])
        {
            b.Add(code, null, &Flush);
        }

        foreach (Code code in (ReadOnlySpan<Code>)[
            Code.Ud0, Code.Ud0_r16_rm16, Code.Ud0_r32_rm32, Code.Ud0_r64_rm64, Code.Ud1_r16_rm16, Code.Ud1_r32_rm32, Code.Ud1_r64_rm64])
        {
            b.Add(code, &Undefined, &Undefined, legality: Legality.EndsBlock);
        }

        b.Add(Code.Ud2, &Ud2, legality: Legality.EndsBlock);
        b.Add(Code.Pause, &Pause, legality: Legality.Hint);

        b.Add(Code.Rdrand_r16, &Random<ushort>);
        b.Add(Code.Rdrand_r32, &Random<uint>);
        b.Add(Code.Rdrand_r64, &Random<ulong>);
        b.Add(Code.Rdseed_r16, &Random<ushort>);
        b.Add(Code.Rdseed_r32, &Random<uint>);
        b.Add(Code.Rdseed_r64, &Random<ulong>);
        b.Add(Code.Bound_r16_m1616, null, &Bound16);
        b.Add(Code.Bound_r32_m3232, null, &Bound32);
    }

    /// <summary>Hints, and features that were given encodings of the NOP space and are not offered (CET): all do nothing, and touch no memory.</summary>
    private static void AddNops(IsaBuilder b)
    {
        foreach (Code code in (ReadOnlySpan<Code>)[Code.Nopw, Code.Nopd, Code.Nopq, Code.Endbr32, Code.Endbr64, Code.Rdsspd_r32, Code.Rdsspq_r64])
        {
            b.Add(code, &Nop, legality: Legality.Hint);
        }

        foreach (Code code in (ReadOnlySpan<Code>)[
            Code.Nop_rm16, Code.Nop_rm32, Code.Nop_rm64, Code.Cldemote_m8, Code.Prefetchit0_m8, Code.Prefetchit1_m8, Code.Prefetch_m8, Code.Prefetchw_m8,
            Code.Prefetchwt1_m8, Code.Prefetchreserved3_m8, Code.Prefetchreserved4_m8, Code.Prefetchreserved5_m8, Code.Prefetchreserved6_m8,
            Code.Prefetchreserved7_m8, Code.Prefetchnta_m8, Code.Prefetcht0_m8, Code.Prefetcht1_m8, Code.Prefetcht2_m8,
            Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D])
        {
            b.Add(code, &Nop, &Nop, legality: Legality.Hint);
        }

        for (Code code = Code.Reservednop_rm16_r16_0F18; code <= Code.Reservednop_rm64_r64_0F1F; code++)
        {
            b.Add(code, &Nop, &Nop, legality: Legality.Hint);
        }
    }
}
