using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Akvam.Cpu.Semantics.X87;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>The one handler of every instruction that runs in a vector stub, specialized by what it does with memory, MXCSR, flags and the MMX state.</summary>
/// <remarks>Valid because <see cref="HostVector.Prepare"/> put the stub's address and the operands' slots into the instruction.</remarks>
internal static unsafe class HostHandlers
{
    internal interface IFetch
    {
        static abstract bool Fetch(CpuState* s, Insn* i);
    }

    internal interface IRun
    {
        static abstract Flow Run(CpuState* s, Insn* i, byte* op0);
    }

    internal interface ICommit
    {
        static abstract Flow Commit(CpuState* s, Insn* i);
    }

    internal interface IUnit
    {
        static abstract bool Ready(CpuState* s);

        static abstract void Enter(CpuState* s);

        static abstract void Leave(byte* op0);
    }

    internal readonly struct NoMemory : IFetch, ICommit
    {
        public static bool Fetch(CpuState* s, Insn* i) => true;

        public static Flow Commit(CpuState* s, Insn* i) => Flow.Next;
    }

    /// <summary>The memory operand is <typeparamref name="T"/>, read before or written after.</summary>
    internal readonly struct Plain<T> : IFetch, ICommit
        where T : unmanaged
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Fetch(CpuState* s, Insn* i)
        {
            if (!Mem.Load(s, i, out T value))
            {
                return false;
            }

            *(T*)s->Scratch = value;
            return true;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Flow Commit(CpuState* s, Insn* i) => Mem.Store(s, i, *(T*)s->Scratch);
    }

    /// <summary>A 16-byte operand of a legacy SSE instruction: aligned, or #GP(0). [SDM3 6.15] [APM4 1.4.2]</summary>
    internal readonly struct Aligned : IFetch
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Fetch(CpuState* s, Insn* i)
        {
            if (!VectorMemory.LoadAligned(s, i, out Vector128<byte> value))
            {
                return false;
            }

            *(Vector128<byte>*)s->Scratch = value;
            return true;
        }
    }

    internal readonly struct NoMmx : IUnit
    {
        public static bool Ready(CpuState* s) => true;

        public static void Enter(CpuState* s)
        {
        }

        public static void Leave(byte* op0)
        {
        }
    }

    internal readonly struct MmxSource : IUnit
    {
        public static bool Ready(CpuState* s) => X87State.CheckPending(s);

        public static void Enter(CpuState* s) => X87State.EnterMmx(s);

        public static void Leave(byte* op0)
        {
        }
    }

    internal readonly struct MmxTarget : IUnit
    {
        public static bool Ready(CpuState* s) => X87State.CheckPending(s);

        public static void Enter(CpuState* s) => X87State.EnterMmx(s);

        /// <summary>Writing an MMX register sets sign and exponent of the x87 register to ones. [APM1 5.5]</summary>
        public static void Leave(byte* op0) => *(ushort*)(op0 + 8) = 0xFFFF;
    }

    internal readonly struct Quiet : IRun
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Flow Run(CpuState* s, Insn* i, byte* op0)
        {
            Call(s, i, op0, &s->Mxcsr);
            return Flow.Next;
        }
    }

    internal readonly struct QuietFlags : IRun
    {
        public static Flow Run(CpuState* s, Insn* i, byte* op0)
        {
            LazyFlags.WriteLazy(s, Call(s, i, op0, &s->Mxcsr));
            return Flow.Next;
        }
    }

    /// <summary>Floating point: with every exception masked the host's MXCSR is the guest's, and flags accumulate in it by themselves.</summary>
    internal readonly struct Float : IRun
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Flow Run(CpuState* s, Insn* i, byte* op0)
        {
            if ((s->Mxcsr & Mxcsr.Masks) != Mxcsr.Masks)
            {
                return Mxcsr.RunUnmasked(s, i, op0, out _);
            }

            Call(s, i, op0, &s->Mxcsr);
            return Flow.Next;
        }
    }

    internal readonly struct FloatFlags : IRun
    {
        public static Flow Run(CpuState* s, Insn* i, byte* op0)
        {
            ulong flags;
            if ((s->Mxcsr & Mxcsr.Masks) == Mxcsr.Masks)
            {
                flags = Call(s, i, op0, &s->Mxcsr);
            }
            else if (Mxcsr.RunUnmasked(s, i, op0, out flags) != Flow.Next)
            {
                return Flow.Abort;
            }

            LazyFlags.WriteLazy(s, flags);
            return Flow.Next;
        }
    }

    /// <remarks>Optimized at first use: precompiled code cannot call the stub without a transition and took four times as long.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Flow Do<TFetch, TUnit, TRun, TCommit>(CpuState* s, Insn* i)
        where TFetch : IFetch
        where TUnit : IUnit
        where TRun : IRun
        where TCommit : ICommit
    {
        if (!TUnit.Ready(s) || !TFetch.Fetch(s, i))
        {
            return Flow.Abort;
        }

        TUnit.Enter(s);
        byte* op0 = (byte*)s + (i->R0 * 8);
        if (TRun.Run(s, i, op0) != Flow.Next)
        {
            return Flow.Abort;
        }

        TUnit.Leave(op0);
        return TCommit.Commit(s, i);
    }

    /// <remarks>SuppressGCTransition: a stub is a leaf of a few nanoseconds, less than the transition itself would cost, so it cannot hold up a collection.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Call(CpuState* s, Insn* i, byte* op0, uint* mxcsr)
    {
        byte* b = (byte*)s;
        return ((delegate* unmanaged[Cdecl, SuppressGCTransition]<byte*, byte*, byte*, byte*, CpuState*, uint*, ulong>)i->Imm)(
            op0, b + (i->R1 * 8), b + (i->R2 * 8), b + (i->Base * 8), s, mxcsr);
    }

    /// <summary>An instruction that the host cannot execute, though somebody told the guest that it is there.</summary>
    public static Flow NotOnThisHost(CpuState* s, Insn* i) => Fault.Ud(s);
}
