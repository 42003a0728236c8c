using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>SETcc and CMOVcc. [APM3 CMOVcc] [APM3 SETcc]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Conditional
{
    private static Flow SetR<TCondition>(CpuState* s, Insn* i)
        where TCondition : ICondition
    {
        Operand.Set(s, i->R0, TCondition.Test(s) ? (byte)1 : (byte)0);
        return Flow.Next;
    }

    private static Flow SetM<TCondition>(CpuState* s, Insn* i)
        where TCondition : ICondition => Mem.Store(s, i, TCondition.Test(s) ? (byte)1 : (byte)0);

    /// <summary>The 32-bit form clears the upper half of the destination whether it moves or not.</summary>
    private static Flow MoveRR<TCondition, T>(CpuState* s, Insn* i)
        where TCondition : ICondition
        where T : unmanaged
    {
        Operand.Set(s, i->R0, Operand.Get<T>(s, TCondition.Test(s) ? i->R1 : i->R0));
        return Flow.Next;
    }

    /// <summary>The load happens, and may fault, whatever the condition.</summary>
    private static Flow MoveRM<TCondition, T>(CpuState* s, Insn* i)
        where TCondition : ICondition
        where T : unmanaged
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, TCondition.Test(s) ? v : Operand.Get<T>(s, i->R0));
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        Add<Condition.O>(b, 0);
        Add<Condition.NO>(b, 1);
        Add<Condition.B>(b, 2);
        Add<Condition.AE>(b, 3);
        Add<Condition.E>(b, 4);
        Add<Condition.NE>(b, 5);
        Add<Condition.BE>(b, 6);
        Add<Condition.A>(b, 7);
        Add<Condition.S>(b, 8);
        Add<Condition.NS>(b, 9);
        Add<Condition.P>(b, 10);
        Add<Condition.NP>(b, 11);
        Add<Condition.L>(b, 12);
        Add<Condition.GE>(b, 13);
        Add<Condition.LE>(b, 14);
        Add<Condition.G>(b, 15);
    }

    /// <summary>Iced numbers the conditions in encoding order, and the widths of a CMOV together.</summary>
    private static void Add<TCondition>(IsaBuilder b, int number)
        where TCondition : ICondition
    {
        b.Add(Code.Seto_rm8 + number, &SetR<TCondition>, &SetM<TCondition>);
        Code move = Code.Cmovo_r16_rm16 + (number * 3);
        b.Add(move, &MoveRR<TCondition, ushort>, &MoveRM<TCondition, ushort>);
        b.Add(move + 1, &MoveRR<TCondition, uint>, &MoveRM<TCondition, uint>);
        b.Add(move + 2, &MoveRR<TCondition, ulong>, &MoveRM<TCondition, ulong>);
    }
}
