using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS. [APM3 SYSCALL] [APM3 SYSRET] [SDM2 SYSENTER] [SDM2 SYSEXIT] [APM3 SWAPGS]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class SystemCalls
{
    private const int CodeType = 0xB, DataType = 0x3, Ring3 = 3 << SegmentRegister.DplShift;
    private const int StarSyscall = 32, StarSysret = 48;
    private const uint SingleStep = 1 << 14;

    private static Flow Syscall(CpuState* s, Insn* i)
    {
        int selector = (int)(s->Star >> StarSyscall) & 0xFFFC;
        ulong next = i->NextRip(s);
        SegmentRegister cs;
        ulong rip;
        if (Segments.IsLongMode(s))
        {
            ulong flags = LazyFlags.Read(s) & ~Rflags.RF;
            s->Gpr[State.Register.Rcx] = next;
            s->Gpr[11] = flags;
            LazyFlags.Write(s, flags & ~s->Sfmask);
            cs = Segments.Flat(selector, CodeType | SegmentRegister.L);
            rip = Segments.IsCode64(s) ? s->Lstar : s->Cstar;
        }
        else
        {
            s->Gpr[State.Register.Rcx] = (uint)next;
            s->SystemFlags &= ~(Rflags.VM | Rflags.IF | Rflags.RF);
            cs = Segments.Flat(selector, CodeType | SegmentRegister.Db);
            rip = (uint)s->Star;
        }

        s->Ss = Segments.Flat((ushort)(selector + 8), DataType | SegmentRegister.Db);
        return FarControl.Transfer(s, in cs, 0, rip);
    }

    private static Flow Sysret32(CpuState* s, Insn* i) => Sysret(s, 0, SegmentRegister.Db, (uint)s->Gpr[State.Register.Rcx]);

    /// <summary>A RIP that is not canonical faults at the first fetch, at CPL 3: AMD processors do not look at it here.</summary>
    private static Flow Sysret64(CpuState* s, Insn* i) => Sysret(s, 16, SegmentRegister.L, s->Gpr[State.Register.Rcx]);

    private static Flow Sysret(CpuState* s, int offset, int attributes, ulong rip)
    {
        if ((s->Mode & ModeKey.Protected) == 0)
        {
            return Fault.Gp(s, 0);
        }

        int selector = (int)(s->Star >> StarSysret) & 0xFFFF;
        ulong before = s->SystemFlags;
        if (Segments.IsCode64(s))
        {
            LazyFlags.Write(s, s->Gpr[11] & ~(Rflags.RF | Rflags.VM));
        }
        else
        {
            s->SystemFlags |= Rflags.IF;
        }

        SegmentRegister cs = Segments.Flat((ushort)(selector + offset) | 3, CodeType | Ring3 | attributes);

        // Base, limit and attributes of SS stay what they are. [APM3 SYSRET]
        s->Ss.Selector = (ushort)(selector + 8);
        Processor.EvaluateFlags(s, before);

        // It is the TF it ends with that counts: a trap comes before the first instruction at CPL 3. [APM3 SYSRET]
        s->PendingDebug |= (s->SystemFlags & Rflags.TF) != 0 ? SingleStep : 0;
        return FarControl.Transfer(s, in cs, 3, rip);
    }

    private static Flow Sysenter(CpuState* s, Insn* i)
    {
        if (IsUndefined(s))
        {
            return Fault.Ud(s);
        }

        int selector = (int)s->SysenterCs & 0xFFFC;
        if ((s->Mode & ModeKey.Protected) == 0 || selector == 0)
        {
            return Fault.Gp(s, 0);
        }

        bool longMode = Segments.IsLongMode(s);
        s->SystemFlags &= ~(Rflags.VM | Rflags.IF | Rflags.RF);
        s->Gpr[State.Register.Rsp] = longMode ? s->SysenterEsp : (uint)s->SysenterEsp;
        s->Ss = Segments.Flat((ushort)(selector + 8), DataType | SegmentRegister.Db);
        SegmentRegister cs = Segments.Flat(selector, CodeType | (longMode ? SegmentRegister.L : SegmentRegister.Db));
        return FarControl.Transfer(s, in cs, 0, longMode ? s->SysenterEip : (uint)s->SysenterEip);
    }

    /// <summary>AMD processors have SYSENTER and SYSEXIT in legacy mode only. [APM3 SYSENTER]</summary>
    private static bool IsUndefined(CpuState* s) => Segments.IsLongMode(s) && Processor.Of(s).Cpuid.IsAmd;

    private static Flow Sysexit32(CpuState* s, Insn* i) =>
        Sysexit(s, 16, SegmentRegister.Db, (uint)s->Gpr[State.Register.Rdx], (uint)s->Gpr[State.Register.Rcx]);

    private static Flow Sysexit64(CpuState* s, Insn* i)
    {
        ulong rip = s->Gpr[State.Register.Rdx], rsp = s->Gpr[State.Register.Rcx];
        return IsUndefined(s) || (Canonical.Is(s, rip) && Canonical.Is(s, rsp)) ? Sysexit(s, 32, SegmentRegister.L, rip, rsp) : Fault.Gp(s, 0);
    }

    private static Flow Sysexit(CpuState* s, int offset, int attributes, ulong rip, ulong rsp)
    {
        if (IsUndefined(s))
        {
            return Fault.Ud(s);
        }

        int selector = (int)s->SysenterCs & 0xFFFC;
        if ((s->Mode & ModeKey.Protected) == 0 || selector == 0)
        {
            return Fault.Gp(s, 0);
        }

        s->Gpr[State.Register.Rsp] = rsp;
        s->Ss = Segments.Flat((ushort)(selector + offset + 8) | 3, DataType | Ring3 | SegmentRegister.Db);
        SegmentRegister cs = Segments.Flat((ushort)(selector + offset) | 3, CodeType | Ring3 | attributes);
        return FarControl.Transfer(s, in cs, 3, rip);
    }

    private static Flow Swapgs(CpuState* s, Insn* i)
    {
        (s->Gs.Base, s->KernelGsBase) = (s->KernelGsBase, s->Gs.Base);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Syscall, &Syscall, legality: Legality.Sce | Legality.EndsBlock);
        b.Add(Code.Sysretd, &Sysret32, legality: Legality.Sce | Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Sysretq, &Sysret64, legality: Legality.Sce | Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Sysenter, &Sysenter, legality: Legality.EndsBlock);
        b.Add(Code.Sysexitd, &Sysexit32, legality: Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Sysexitq, &Sysexit64, legality: Legality.Cpl0 | Legality.EndsBlock);
        b.Add(Code.Swapgs, &Swapgs, legality: Legality.Only64 | Legality.Cpl0);
    }
}
