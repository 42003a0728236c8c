using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>Near Jcc, JMP, CALL, RET, LOOPcc, JrCXZ. The type parameter is the operand size: the width that RIP is cut to. [APM3 Jcc] [APM3 CALL (Near)] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Branch
{
    /// <summary>Whether a target may be branched to: within the CS limit, or canonical. False: #GP(0) is set. [APM3 JMP (Near)]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsValid<T>(CpuState* s, ulong target)
        where T : unmanaged
    {
        // A 64-bit operand size exists in 64-bit code only; a 48-bit canonical address is canonical under any paging.
        if (sizeof(T) == 8 ? (ulong)(((long)target << 16) >> 16) == target : target <= s->Cs.Limit)
        {
            return true;
        }

        return IsValidSlow(s, target);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsValidSlow(CpuState* s, ulong target)
    {
        if ((s->Mode & ModeKey.Code64) != 0 && Canonical.Is(s, target))
        {
            return true;
        }

        Fault.Gp(s, 0);
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Cut<T>(ulong rip)
        where T : unmanaged => sizeof(T) == 2 ? (ushort)rip : sizeof(T) == 4 ? (uint)rip : rip;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow Go<T>(CpuState* s, ulong target)
        where T : unmanaged
    {
        if (!IsValid<T>(s, target))
        {
            return Flow.Abort;
        }

        s->Rip = target;
        return Flow.Jump;
    }

    private static Flow JumpIf<TCondition, T>(CpuState* s, Insn* i)
        where TCondition : ICondition
        where T : unmanaged => TCondition.Test(s) ? Go<T>(s, Cut<T>(s->Rip + i->Imm)) : Flow.Next;

    private static Flow Jump<T>(CpuState* s, Insn* i)
        where T : unmanaged => Go<T>(s, Cut<T>(s->Rip + i->Imm));

    private static Flow JumpR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Go<T>(s, ulong.CreateTruncating(Operand.Get<T>(s, i->R0)));

    private static Flow JumpM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Mem.Load(s, i, out T target) ? Go<T>(s, ulong.CreateTruncating(target)) : Flow.Abort;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow CallTo<T>(CpuState* s, Insn* i, ulong target)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!IsValid<T>(s, target) || Stack.Push(s, T.CreateTruncating(s->Rip + i->Offset + i->Length)) == Flow.Abort)
        {
            return Flow.Abort;
        }

        s->Rip = target;
        return Flow.Jump;
    }

    private static Flow Call<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => CallTo<T>(s, i, Cut<T>(s->Rip + i->Imm));

    private static Flow CallR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => CallTo<T>(s, i, ulong.CreateTruncating(Operand.Get<T>(s, i->R0)));

    private static Flow CallM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Mem.Load(s, i, out T target) ? CallTo<T>(s, i, ulong.CreateTruncating(target)) : Flow.Abort;

    private static Flow Return<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong sp = s->Gpr[Gpr.Rsp];
        if (!Stack.Pop(s, out T target))
        {
            return Flow.Abort;
        }

        if (!IsValid<T>(s, ulong.CreateTruncating(target)))
        {
            s->Gpr[Gpr.Rsp] = sp;
            return Flow.Abort;
        }

        s->Rip = ulong.CreateTruncating(target);
        return Flow.Jump;
    }

    private static Flow ReturnRelease<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Flow flow = Return<T>(s, i);
        if (flow == Flow.Jump)
        {
            Stack.Release(s, (ushort)i->Imm);
        }

        return flow;
    }

    private interface ILoop
    {
        static abstract bool Test(CpuState* s);
    }

    private readonly struct Always : ILoop
    {
        public static bool Test(CpuState* s) => true;
    }

    private readonly struct WhileZero : ILoop
    {
        public static bool Test(CpuState* s) => Flags.LazyFlags.Zf(s);
    }

    private readonly struct WhileNotZero : ILoop
    {
        public static bool Test(CpuState* s) => !Flags.LazyFlags.Zf(s);
    }

    /// <summary>The count's width is the address size. It does not change when the branch faults.</summary>
    private static Flow Loop<TLoop, TCount, T>(CpuState* s, Insn* i)
        where TLoop : ILoop
        where TCount : unmanaged, IBinaryInteger<TCount>
        where T : unmanaged
    {
        TCount count = Operand.Get<TCount>(s, Gpr.Rcx * 8) - TCount.One;
        bool taken = count != TCount.Zero && TLoop.Test(s);
        ulong target = Cut<T>(s->Rip + i->Imm);
        if (taken && !IsValid<T>(s, target))
        {
            return Flow.Abort;
        }

        Operand.Set(s, Gpr.Rcx * 8, count);
        if (!taken)
        {
            return Flow.Next;
        }

        s->Rip = target;
        return Flow.Jump;
    }

    private static Flow JumpIfRcxZero<TCount, T>(CpuState* s, Insn* i)
        where TCount : unmanaged, IBinaryInteger<TCount>
        where T : unmanaged => Operand.Get<TCount>(s, Gpr.Rcx * 8) == TCount.Zero ? Go<T>(s, Cut<T>(s->Rip + i->Imm)) : Flow.Next;

    internal static void Register(IsaBuilder b)
    {
        AddConditional<Condition.O>(b, 0);
        AddConditional<Condition.NO>(b, 1);
        AddConditional<Condition.B>(b, 2);
        AddConditional<Condition.AE>(b, 3);
        AddConditional<Condition.E>(b, 4);
        AddConditional<Condition.NE>(b, 5);
        AddConditional<Condition.BE>(b, 6);
        AddConditional<Condition.A>(b, 7);
        AddConditional<Condition.S>(b, 8);
        AddConditional<Condition.NS>(b, 9);
        AddConditional<Condition.P>(b, 10);
        AddConditional<Condition.NP>(b, 11);
        AddConditional<Condition.L>(b, 12);
        AddConditional<Condition.GE>(b, 13);
        AddConditional<Condition.LE>(b, 14);
        AddConditional<Condition.G>(b, 15);
        AddUnconditional(b);
        AddLoop<WhileNotZero>(b, Code.Loopne_rel8_16_CX);
        AddLoop<WhileZero>(b, Code.Loope_rel8_16_CX);
        AddLoop<Always>(b, Code.Loop_rel8_16_CX);
        Add(b, Code.Jcxz_rel8_16, &JumpIfRcxZero<ushort, ushort>);
        Add(b, Code.Jcxz_rel8_32, &JumpIfRcxZero<ushort, uint>);
        Add(b, Code.Jecxz_rel8_16, &JumpIfRcxZero<uint, ushort>);
        Add(b, Code.Jecxz_rel8_32, &JumpIfRcxZero<uint, uint>);
        Add(b, Code.Jecxz_rel8_64, &JumpIfRcxZero<uint, ulong>);
        Add(b, Code.Jrcxz_rel8_16, &JumpIfRcxZero<ulong, ushort>);
        Add(b, Code.Jrcxz_rel8_64, &JumpIfRcxZero<ulong, ulong>);
    }

    private static void AddUnconditional(IsaBuilder b)
    {
        Add(b, Code.Jmp_rel8_16, &Jump<ushort>);
        Add(b, Code.Jmp_rel8_32, &Jump<uint>);
        Add(b, Code.Jmp_rel8_64, &Jump<ulong>);
        Add(b, Code.Jmp_rel16, &Jump<ushort>);
        Add(b, Code.Jmp_rel32_32, &Jump<uint>);
        Add(b, Code.Jmp_rel32_64, &Jump<ulong>);
        Add(b, Code.Jmp_rm16, &JumpR<ushort>, &JumpM<ushort>);
        Add(b, Code.Jmp_rm32, &JumpR<uint>, &JumpM<uint>);
        Add(b, Code.Jmp_rm64, &JumpR<ulong>, &JumpM<ulong>);
        Add(b, Code.Call_rel16, &Call<ushort>);
        Add(b, Code.Call_rel32_32, &Call<uint>);
        Add(b, Code.Call_rel32_64, &Call<ulong>);
        Add(b, Code.Call_rm16, &CallR<ushort>, &CallM<ushort>);
        Add(b, Code.Call_rm32, &CallR<uint>, &CallM<uint>);
        Add(b, Code.Call_rm64, &CallR<ulong>, &CallM<ulong>);
        Add(b, Code.Retnw, &Return<ushort>);
        Add(b, Code.Retnd, &Return<uint>);
        Add(b, Code.Retnq, &Return<ulong>);
        Add(b, Code.Retnw_imm16, &ReturnRelease<ushort>);
        Add(b, Code.Retnd_imm16, &ReturnRelease<uint>);
        Add(b, Code.Retnq_imm16, &ReturnRelease<ulong>);
    }

    /// <summary>Iced numbers the conditions in encoding order, and the operand sizes of one together.</summary>
    private static void AddConditional<TCondition>(IsaBuilder b, int number)
        where TCondition : ICondition
    {
        foreach (Code first in (ReadOnlySpan<Code>)[Code.Jo_rel8_16, Code.Jo_rel16])
        {
            Add(b, first + (number * 3), &JumpIf<TCondition, ushort>);
            Add(b, first + (number * 3) + 1, &JumpIf<TCondition, uint>);
            Add(b, first + (number * 3) + 2, &JumpIf<TCondition, ulong>);
        }
    }

    private static void AddLoop<TLoop>(IsaBuilder b, Code first)
        where TLoop : ILoop
    {
        Add(b, first, &Loop<TLoop, ushort, ushort>);
        Add(b, first + 1, &Loop<TLoop, ushort, uint>);
        Add(b, first + 2, &Loop<TLoop, uint, ushort>);
        Add(b, first + 3, &Loop<TLoop, uint, uint>);
        Add(b, first + 4, &Loop<TLoop, uint, ulong>);
        Add(b, first + 5, &Loop<TLoop, ulong, ushort>);
        Add(b, first + 6, &Loop<TLoop, ulong, ulong>);
    }

    private static void Add(IsaBuilder b, Code code, delegate*<CpuState*, Insn*, Flow> register, delegate*<CpuState*, Insn*, Flow> memory = null) =>
        b.Add(code, register, memory, legality: Legality.EndsBlock);
}
