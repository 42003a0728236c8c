using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. The memory forms are always host-atomic: XCHG has to be, the others lose nothing by it. [APM3 XCHG] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Exchange
{
    private static Flow XchgRR<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        T a = Operand.Get<T>(s, i->R0), b = Operand.Get<T>(s, i->R1);
        Operand.Set(s, i->R0, b);
        Operand.Set(s, i->R1, a);
        return Flow.Next;
    }

    private static Flow XchgMR<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        T old, value = Operand.Get<T>(s, i->R1);
        do
        {
            old = Unsafe.ReadUnaligned<T>(p);
        }
        while (!Atomic.CompareExchange(p, old, value));
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            Operand.Set(s, i->R1, old);
        }

        return flow;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Add<T>(CpuState* s, T a, T b)
        where T : unmanaged, IBinaryInteger<T>
    {
        T r = a + b;
        LazyFlags.SetArithmetic(s, r, (a & b) | ((a | b) & ~r));
        return r;
    }

    /// <summary>With one register as both operands the sum wins.</summary>
    private static Flow XaddRR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        T a = Operand.Get<T>(s, i->R0), b = Operand.Get<T>(s, i->R1);
        Operand.Set(s, i->R1, a);
        Operand.Set(s, i->R0, Add(s, a, b));
        return Flow.Next;
    }

    private static Flow XaddMR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        T old, b = Operand.Get<T>(s, i->R1);
        do
        {
            old = Unsafe.ReadUnaligned<T>(p);
        }
        while (!Atomic.CompareExchange(p, old, old + b));
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            Add(s, old, b);
            Operand.Set(s, i->R1, old);
        }

        return flow;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Compare<T>(CpuState* s, T a, T b)
        where T : unmanaged, IBinaryInteger<T>
    {
        T r = a - b;
        LazyFlags.SetArithmetic(s, r, (~a & b) | ((~a | b) & r));
    }

    /// <summary>Of the 32-bit form, only the register that gets a new value loses its upper half: the destination when equal, else the accumulator.</summary>
    private static Flow CmpxchgRR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        T accumulator = Operand.Get<T>(s, Gpr.Rax * 8), old = Operand.Get<T>(s, i->R0);
        Compare(s, accumulator, old);
        if (accumulator == old)
        {
            Operand.Set(s, i->R0, Operand.Get<T>(s, i->R1));
        }
        else
        {
            Operand.Set(s, Gpr.Rax * 8, old);
        }

        return Flow.Next;
    }

    private static Flow CmpxchgMR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        T* p = Mem.BeginModify<T>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        T accumulator = Operand.Get<T>(s, Gpr.Rax * 8), old;
        do
        {
            old = Unsafe.ReadUnaligned<T>(p);
        }
        while (!Atomic.CompareExchange(p, old, old == accumulator ? Operand.Get<T>(s, i->R1) : old));
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            Compare(s, accumulator, old);
            if (accumulator != old)
            {
                Operand.Set(s, Gpr.Rax * 8, old);
            }
        }

        return flow;
    }

    /// <summary>Sets ZF alone.</summary>
    private static void SetZf(CpuState* s, bool zf) =>
        LazyFlags.WriteLazy(s, (LazyFlags.Read(s) & ~Rflags.ZF) | (zf ? Rflags.ZF : 0));

    private static Flow Cmpxchg8b(CpuState* s, Insn* i)
    {
        ulong* p = Mem.BeginModify<ulong>(s, i);
        if (p == null)
        {
            return Flow.Abort;
        }

        ulong expected = (s->Gpr[Gpr.Rdx] << 32) | (uint)s->Gpr[Gpr.Rax];
        ulong value = (s->Gpr[Gpr.Rcx] << 32) | (uint)s->Gpr[Gpr.Rbx];
        ulong old;
        do
        {
            old = Unsafe.ReadUnaligned<ulong>(p);
        }
        while (!Atomic.CompareExchange(p, old, old == expected ? value : old));
        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            SetZf(s, old == expected);
            if (old != expected)
            {
                s->Gpr[Gpr.Rax] = (uint)old;
                s->Gpr[Gpr.Rdx] = old >> 32;
            }
        }

        return flow;
    }

    /// <summary>#GP(0) unless aligned to 16 bytes. [APM3 CMPXCHG16B]</summary>
    private static Flow Cmpxchg16b(CpuState* s, Insn* i)
    {
        if (!Mem.Address(s, i, 16, AccessKind.Write, out ulong linear))
        {
            return Flow.Abort;
        }

        if ((linear & 15) != 0)
        {
            return Fault.Gp(s, 0);
        }

        UInt128* p = Mem.BeginModifyLinear<UInt128>(s, linear);
        if (p == null)
        {
            return Flow.Abort;
        }

        UInt128 expected = new(s->Gpr[Gpr.Rdx], s->Gpr[Gpr.Rax]);
        UInt128 value = new(s->Gpr[Gpr.Rcx], s->Gpr[Gpr.Rbx]);
        UInt128 old = expected;
        if (p == s->Bounce)
        {
            // Not shared memory: no host address, so nothing to be atomic with.
            old = Unsafe.ReadUnaligned<UInt128>(p);
            Unsafe.WriteUnaligned(p, old == expected ? value : old);
        }
        else
        {
            CompareExchange128.Execute(p, ref old, value);
        }

        Flow flow = Mem.EndModify(s, p);
        if (flow != Flow.Abort)
        {
            SetZf(s, old == expected);
            if (old != expected)
            {
                s->Gpr[Gpr.Rax] = (ulong)old;
                s->Gpr[Gpr.Rdx] = (ulong)(old >> 64);
            }
        }

        return flow;
    }

    internal static void Register(IsaBuilder b)
    {
        AddLockable(b, Code.Xchg_rm8_r8, &XchgRR<byte>, &XchgMR<byte>);
        AddLockable(b, Code.Xchg_rm16_r16, &XchgRR<ushort>, &XchgMR<ushort>);
        AddLockable(b, Code.Xchg_rm32_r32, &XchgRR<uint>, &XchgMR<uint>);
        AddLockable(b, Code.Xchg_rm64_r64, &XchgRR<ulong>, &XchgMR<ulong>);
        b.Add(Code.Xchg_r16_AX, &XchgRR<ushort>);
        b.Add(Code.Xchg_r32_EAX, &XchgRR<uint>);
        b.Add(Code.Xchg_r64_RAX, &XchgRR<ulong>);
        AddLockable(b, Code.Xadd_rm8_r8, &XaddRR<byte>, &XaddMR<byte>);
        AddLockable(b, Code.Xadd_rm16_r16, &XaddRR<ushort>, &XaddMR<ushort>);
        AddLockable(b, Code.Xadd_rm32_r32, &XaddRR<uint>, &XaddMR<uint>);
        AddLockable(b, Code.Xadd_rm64_r64, &XaddRR<ulong>, &XaddMR<ulong>);
        AddLockable(b, Code.Cmpxchg_rm8_r8, &CmpxchgRR<byte>, &CmpxchgMR<byte>);
        AddLockable(b, Code.Cmpxchg_rm16_r16, &CmpxchgRR<ushort>, &CmpxchgMR<ushort>);
        AddLockable(b, Code.Cmpxchg_rm32_r32, &CmpxchgRR<uint>, &CmpxchgMR<uint>);
        AddLockable(b, Code.Cmpxchg_rm64_r64, &CmpxchgRR<ulong>, &CmpxchgMR<ulong>);
        AddLockable(b, Code.Cmpxchg8b_m64, null, &Cmpxchg8b);
        AddLockable(b, Code.Cmpxchg16b_m128, null, &Cmpxchg16b);
    }

    private static void AddLockable(IsaBuilder b, Code code, delegate*<CpuState*, Insn*, Flow> register, delegate*<CpuState*, Insn*, Flow> memory) =>
        b.Add(code, register, memory, memory);
}
