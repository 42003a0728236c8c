using System.Numerics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>PUSH and POP of registers, memory and immediates, PUSHA, POPA, ENTER, LEAVE. [APM3 PUSH] [APM3 POP] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class PushPop
{
    /// <summary>PUSH rSP pushes the value before the instruction.</summary>
    private static Flow PushR<T>(CpuState* s, Insn* i)
        where T : unmanaged => Stack.Push(s, Operand.Get<T>(s, i->R0));

    private static Flow PushM<T>(CpuState* s, Insn* i)
        where T : unmanaged => Mem.Load(s, i, out T v) ? Stack.Push(s, v) : Flow.Abort;

    private static Flow PushI<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Stack.Push(s, T.CreateTruncating(i->Imm));

    private static Flow PopR<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!Stack.Pop(s, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, v);
        return Flow.Next;
    }

    /// <summary>An address based on rSP is computed with the incremented pointer. [SDM2 POP]</summary>
    private static Flow PopM<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Gpr.Rsp];
        if (!Stack.Pop(s, out T v))
        {
            return Flow.Abort;
        }

        Flow flow = Mem.Store(s, i, v);
        if (flow == Flow.Abort)
        {
            s->Gpr[Gpr.Rsp] = sp;
        }

        return flow;
    }

    /// <summary>The stored rSP is the one before the instruction. Nothing is stored unless all eight stores can be.</summary>
    private static Flow Pusha<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Gpr.Rsp];
        for (int n = 1; n <= 8; n++)
        {
            if (!Stack.Probe(s, sp - (ulong)(n * sizeof(T)), sizeof(T), AccessKind.Write))
            {
                return Flow.Abort;
            }
        }

        Flow flow = Flow.Next;
        for (int n = 0; n < 8 && flow != Flow.Abort; n++)
        {
            sp -= (ulong)sizeof(T);
            flow |= Stack.Store(s, sp, Operand.Get<T>(s, (byte)(n * 8)));
        }

        if (flow == Flow.Abort)
        {
            return Flow.Abort;
        }

        Stack.SetPointer(s, sp);
        return flow;
    }

    /// <summary>The image of rSP is skipped.</summary>
    private static Flow Popa<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        T* values = stackalloc T[8];
        for (int n = 0; n < 8; n++)
        {
            if (!Stack.Peek(s, n * sizeof(T), out values[n]))
            {
                return Flow.Abort;
            }
        }

        for (int n = 0; n < 8; n++)
        {
            if (n != 7 - Gpr.Rsp)
            {
                Operand.Set(s, (byte)((7 - n) * 8), values[n]);
            }
        }

        Stack.Release(s, 8 * sizeof(T));
        return Flow.Next;
    }

    /// <summary>
    /// Registers change last, so any fault leaves them alone; the last probe is the processor's check that the new frame can be written. [APM3 ENTER] [SDM2 ENTER]
    /// </summary>
    private static Flow Enter<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong sp = s->Gpr[Gpr.Rsp] - (ulong)sizeof(T), bp = s->Gpr[Gpr.Rbp], frame = sp;
        int level = i->Disp & 31;
        Flow flow = Stack.Store(s, sp, T.CreateTruncating(bp));
        for (int n = 1; n < level && flow != Flow.Abort; n++)
        {
            bp -= (ulong)sizeof(T);
            sp -= (ulong)sizeof(T);
            flow = Stack.Load(s, bp, out T link) ? flow | Stack.Store(s, sp, link) : Flow.Abort;
        }

        if (level > 0 && flow != Flow.Abort)
        {
            sp -= (ulong)sizeof(T);
            flow |= Stack.Store(s, sp, T.CreateTruncating(frame & s->StackMask));
        }

        sp -= (ushort)i->Imm;
        if (flow == Flow.Abort || !Stack.Probe(s, sp, sizeof(T), AccessKind.Write))
        {
            return Flow.Abort;
        }

        Operand.Set(s, Gpr.Rbp * 8, T.CreateTruncating(frame & s->StackMask));
        Stack.SetPointer(s, sp);
        return flow;
    }

    private static Flow Leave<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Gpr.Rsp];
        Stack.SetPointer(s, s->Gpr[Gpr.Rbp]);
        if (!Stack.Pop(s, out T v))
        {
            s->Gpr[Gpr.Rsp] = sp;
            return Flow.Abort;
        }

        Operand.Set(s, Gpr.Rbp * 8, v);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Push_r16, &PushR<ushort>);
        b.Add(Code.Push_r32, &PushR<uint>);
        b.Add(Code.Push_r64, &PushR<ulong>);
        b.Add(Code.Push_rm16, &PushR<ushort>, &PushM<ushort>);
        b.Add(Code.Push_rm32, &PushR<uint>, &PushM<uint>);
        b.Add(Code.Push_rm64, &PushR<ulong>, &PushM<ulong>);
        b.Add(Code.Push_imm16, &PushI<ushort>);
        b.Add(Code.Pushd_imm32, &PushI<uint>);
        b.Add(Code.Pushq_imm32, &PushI<ulong>);
        b.Add(Code.Pushw_imm8, &PushI<ushort>);
        b.Add(Code.Pushd_imm8, &PushI<uint>);
        b.Add(Code.Pushq_imm8, &PushI<ulong>);
        b.Add(Code.Pop_r16, &PopR<ushort>);
        b.Add(Code.Pop_r32, &PopR<uint>);
        b.Add(Code.Pop_r64, &PopR<ulong>);
        b.Add(Code.Pop_rm16, &PopR<ushort>, &PopM<ushort>);
        b.Add(Code.Pop_rm32, &PopR<uint>, &PopM<uint>);
        b.Add(Code.Pop_rm64, &PopR<ulong>, &PopM<ulong>);
        b.Add(Code.Pushaw, &Pusha<ushort>);
        b.Add(Code.Pushad, &Pusha<uint>);
        b.Add(Code.Popaw, &Popa<ushort>);
        b.Add(Code.Popad, &Popa<uint>);
        b.Add(Code.Enterw_imm16_imm8, &Enter<ushort>);
        b.Add(Code.Enterd_imm16_imm8, &Enter<uint>);
        b.Add(Code.Enterq_imm16_imm8, &Enter<ulong>);
        b.Add(Code.Leavew, &Leave<ushort>);
        b.Add(Code.Leaved, &Leave<uint>);
        b.Add(Code.Leaveq, &Leave<ulong>);
    }
}
