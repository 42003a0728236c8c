using System.Numerics;
using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>PUSHF, POPF, LAHF, SAHF, CLC, STC, CMC, CLD, STD, SALC. [APM3 POPF] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class FlagOps
{
    private const byte Ah = 1;

    /// <summary>Virtual-8086 mode with IOPL below 3, where IF belongs to the monitor. [APM2 10.4]</summary>
    private static bool IsVirtualized(CpuState* s) =>
        (s->Mode & ModeKey.Virtual8086) != 0 && (s->SystemFlags & Rflags.IOPL) != Rflags.IOPL;

    private static Flow Pushf<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong flags = LazyFlags.Read(s) & ~(Rflags.RF | Rflags.VM);
        if (IsVirtualized(s))
        {
            if (sizeof(T) != 2 || (s->Cr4 & Cr4.VME) == 0)
            {
                return Fault.Gp(s, 0);
            }

            // The program sees its virtual IF and an IOPL of 3.
            flags = (flags & ~Rflags.IF) | Rflags.IOPL | ((flags & Rflags.VIF) != 0 ? Rflags.IF : 0);
        }

        return Stack.Push(s, T.CreateTruncating(flags));
    }

    private static Flow Popf<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        bool virtualized = IsVirtualized(s);
        if (virtualized && (sizeof(T) != 2 || (s->Cr4 & Cr4.VME) == 0))
        {
            return Fault.Gp(s, 0);
        }

        if (!Stack.Peek(s, 0, out T popped))
        {
            return Flow.Abort;
        }

        ulong value = ulong.CreateTruncating(popped), before = s->SystemFlags;
        ulong mask = Rflags.Lazy | Rflags.TF | Rflags.DF | Rflags.NT;
        if (sizeof(T) != 2)
        {
            mask |= Rflags.RF | Rflags.AC | Rflags.ID;
            value &= ~Rflags.RF;
        }

        if (virtualized)
        {
            if ((value & Rflags.TF) != 0 || (value & Rflags.IF) != 0 && (before & Rflags.VIP) != 0)
            {
                return Fault.Gp(s, 0);
            }

            mask |= Rflags.VIF;
            value = (value & ~Rflags.VIF) | ((value & Rflags.IF) != 0 ? Rflags.VIF : 0);
        }
        else
        {
            int iopl = (int)(before & Rflags.IOPL) >> Rflags.IoplShift;
            mask |= s->Cpl <= iopl ? Rflags.IF : 0;
            mask |= s->Cpl == 0 ? Rflags.IOPL : 0;
        }

        Stack.Release(s, sizeof(T));
        LazyFlags.Write(s, (LazyFlags.Read(s) & ~mask) | (value & mask));
        return Processor.FlagsChanged(s, before);
    }

    private static Flow Lahf(CpuState* s, Insn* i)
    {
        Operand.Set(s, Ah, (byte)LazyFlags.Read(s));
        return Flow.Next;
    }

    private static Flow Sahf(CpuState* s, Insn* i)
    {
        LazyFlags.WriteLazy(s, (LazyFlags.Of(s) ? Rflags.OF : 0) | Operand.Get<byte>(s, Ah));
        return Flow.Next;
    }

    private static Flow Clc(CpuState* s, Insn* i)
    {
        LazyFlags.SetCf(s, false);
        return Flow.Next;
    }

    private static Flow Stc(CpuState* s, Insn* i)
    {
        LazyFlags.SetCf(s, true);
        return Flow.Next;
    }

    private static Flow Cmc(CpuState* s, Insn* i)
    {
        LazyFlags.SetCf(s, !LazyFlags.Cf(s));
        return Flow.Next;
    }

    private static Flow Cld(CpuState* s, Insn* i)
    {
        s->SystemFlags &= ~Rflags.DF;
        return Flow.Next;
    }

    private static Flow Std(CpuState* s, Insn* i)
    {
        s->SystemFlags |= Rflags.DF;
        return Flow.Next;
    }

    /// <summary>AL becomes FF or 0 with CF; in no manual, on every processor.</summary>
    private static Flow Salc(CpuState* s, Insn* i)
    {
        Operand.Set(s, Gpr.Rax * 8, LazyFlags.Cf(s) ? (byte)0xFF : (byte)0);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Pushfw, &Pushf<ushort>);
        b.Add(Code.Pushfd, &Pushf<uint>);
        b.Add(Code.Pushfq, &Pushf<ulong>);
        b.Add(Code.Popfw, &Popf<ushort>, legality: Legality.EndsBlock);
        b.Add(Code.Popfd, &Popf<uint>, legality: Legality.EndsBlock);
        b.Add(Code.Popfq, &Popf<ulong>, legality: Legality.EndsBlock);
        b.Add(Code.Lahf, &Lahf);
        b.Add(Code.Sahf, &Sahf);
        b.Add(Code.Clc, &Clc);
        b.Add(Code.Stc, &Stc);
        b.Add(Code.Cmc, &Cmc);
        b.Add(Code.Cld, &Cld);
        b.Add(Code.Std, &Std);
        b.Add(Code.Salc, &Salc);
    }
}
