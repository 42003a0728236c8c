using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Interpreter;

/// <summary>The interpreter's inner loop: block after block until a request, a fault, or the instruction limit.</summary>
/// <remarks>Valid while its processor is in the guest: blocks and memory slots stay where they are between two looks at the requests.</remarks>
internal static unsafe class Engine
{
    /// <summary>
    /// Runs until <see cref="CpuState.Requests"/> is non-zero or <see cref="CpuState.StopAt"/> is near (<see cref="Flow.End"/>), or an instruction
    /// was not completed (<see cref="Flow.Abort"/>). <see cref="CpuState.Rip"/> is then that of the next, or the aborted, instruction.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Flow Run(CpuState* s, BlockCache cache)
    {
        while (Volatile.Read(ref s->Requests) == 0)
        {
            Block* b = cache.Find(s);
            if (b == null)
            {
                return Flow.Abort;
            }

            if (s->StopAt - s->Retired < b->Count)
            {
                return Flow.End;
            }

            // Few variables live across the calls: they then stay in the host's callee-saved registers.
            Insn* i = Block.First(b);
            Insn* end = i + b->Count;
            Flow flow;
            do
            {
                flow = i->Execute(s, i);
                if (flow != Flow.Next)
                {
                    goto left;
                }

                i++;
            }
            while (i != end);
            s->Retired += b->Count;
            s->Rip = (s->Rip + b->Bytes) & s->RipMask;
            continue;

        left:
            s->Retired += (ulong)((byte*)i - (byte*)Block.First(b)) / (ulong)sizeof(Insn);
            if (flow == Flow.Abort)
            {
                s->Rip = i->RipOf(s);
                Fault.SettleSegment(s, i);
                return Flow.Abort;
            }

            s->Retired++;
            if (flow == Flow.End)
            {
                s->Rip = i->NextRip(s);
            }
        }

        return Flow.End;
    }

    /// <summary>Executes one block; <see cref="Flow.Abort"/>: an instruction was not completed, anything else: RIP is that of the next block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Flow RunBlock(CpuState* s, Block* b)
    {
        Insn* i = Block.First(b);
        Insn* end = i + b->Count;
        do
        {
            Flow flow = i->Execute(s, i);
            if (flow != Flow.Next)
            {
                Leave(s, i, (int)(i - Block.First(b)), flow);
                return flow;
            }

            i++;
        }
        while (i != end);
        s->Retired += b->Count;
        s->Rip = (s->Rip + b->Bytes) & s->RipMask;
        return Flow.Next;
    }

    /// <summary>Counts instructions and sets RIP when instruction number <paramref name="index"/> of a block left it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Leave(CpuState* s, Insn* i, int index, Flow flow)
    {
        s->Retired += (ulong)index;
        if (flow == Flow.Abort)
        {
            s->Rip = i->RipOf(s);
            Fault.SettleSegment(s, i);
            return;
        }

        s->Retired++;
        if (flow == Flow.End)
        {
            s->Rip = i->NextRip(s);
        }
    }

    /// <summary>Executes exactly one instruction.</summary>
    public static Flow Step(CpuState* s, BlockCache cache, out Code code)
    {
        Block* b = cache.Find(s);
        code = Code.INVALID;
        if (b == null)
        {
            return Flow.Abort;
        }

        Insn* i = Block.First(b);
        code = (Code)i->Code;
        Flow flow = i->Execute(s, i);
        switch (flow)
        {
            case Flow.Abort:
                s->Rip = i->RipOf(s);
                Fault.SettleSegment(s, i);
                return flow;
            case Flow.Jump:
                break;
            default:
                s->Rip = i->NextRip(s);
                break;
        }

        s->Retired++;
        return flow;
    }
}
