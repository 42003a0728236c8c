using System.Runtime.CompilerServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>One iteration of a string instruction.</summary>
/// <remarks>Valid as long as the state and instruction it is given.</remarks>
internal unsafe interface IStringStep
{
    /// <summary>
    /// Does up to <paramref name="limit"/> iterations, moves rSI and rDI, and says in <paramref name="done"/> how many; on <see cref="Flow.Abort"/>
    /// the iteration that failed has changed nothing and <paramref name="done"/> is 0.
    /// </summary>
    static abstract Flow Step(CpuState* s, Insn* i, ulong limit, out ulong done);

    /// <summary>Whether REPE or REPNE ends after this iteration.</summary>
    static abstract bool IsLast(CpuState* s, Insn* i);
}

/// <summary>
/// REP: repeats a step, counts rCX down in the address size, and between iterations lets requests in. Completed iterations stay done when a later one
/// faults. A count of 0 changes nothing at all, also with 32-bit addresses in 64-bit mode, as on AMD processors. [APM3 1.2.6]
/// </summary>
/// <remarks>Valid as long as the state and instruction it is given.</remarks>
internal static unsafe class RepLoop
{
    /// <summary>DR6.BS.</summary>
    private const uint SingleStep = 1 << 14;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow Execute<TStep>(CpuState* s, Insn* i)
        where TStep : IStringStep =>
        (i->Flags & (InsnFlags.Rep | InsnFlags.Repne)) == 0 ? TStep.Step(s, i, 1, out _) : Repeat<TStep>(s, i);

    private static Flow Repeat<TStep>(CpuState* s, Insn* i)
        where TStep : IStringStep
    {
        ulong left = s->Gpr[Gpr.Rcx] & Mem.AddressMask(i->Flags);
        bool steps = (s->SystemFlags & Rflags.TF) != 0 && s->StepsBranches == 0;
        var result = Flow.Next;
        while (left != 0)
        {
            Flow flow = TStep.Step(s, i, steps ? 1 : left, out ulong done);
            if (flow == Flow.Abort)
            {
                return Flow.Abort;
            }

            result |= flow;
            left -= done;
            Set(s, i->Flags, Gpr.Rcx, left);
            if (left == 0 || TStep.IsLast(s, i))
            {
                break;
            }

            // A trap (single step, data breakpoint) comes after the iteration, not after the instruction. [SDM3 18.3.1.4]
            s->PendingDebug |= steps ? SingleStep : 0;
            if (Volatile.Read(ref s->Requests) != 0 || s->PendingDebug != 0)
            {
                s->Abort = AbortReason.Interrupted;
                return Flow.Abort;
            }
        }

        return result;
    }

    /// <summary>Writes a register in the address size: 16 bits keep the rest, 32 bits clear the upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(CpuState* s, InsnFlags flags, int register, ulong value)
    {
        if ((flags & InsnFlags.Addr16) != 0)
        {
            *(ushort*)&s->Gpr[register] = (ushort)value;
        }
        else
        {
            s->Gpr[register] = (flags & InsnFlags.Addr32) != 0 ? (uint)value : value;
        }
    }

    /// <summary>Moves rSI or rDI over <paramref name="count"/> elements in the direction of DF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Advance(CpuState* s, InsnFlags flags, int register, int size, ulong count = 1)
    {
        ulong distance = count * (ulong)size;
        Set(s, flags, register, s->Gpr[register] + ((s->SystemFlags & Rflags.DF) == 0 ? distance : 0 - distance));
    }

    /// <summary>Linear address of the element at rSI (in the instruction's segment) or rDI (in ES); false: the fault is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Address(CpuState* s, Insn* i, int register, int size, AccessKind kind, out ulong linear) =>
        StringAddress.Linear(s, register == Gpr.Rdi ? Segment.Es : i->Segment, s->Gpr[register] & Mem.AddressMask(i->Flags), size, kind, out linear);
}
