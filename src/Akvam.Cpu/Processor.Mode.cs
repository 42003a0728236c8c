using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public sealed unsafe partial class Processor
{
    /// <summary>
    /// Recomputes what derives from the control registers, privilege, CS, SS and flags. Call after changing CR0, CR4, EFER, XCR0, CPL, CS, SS, the base or
    /// limit of a data segment, RFLAGS.VM or RFLAGS.AC, or SMM and guest mode; instructions that do so return <see cref="Flow.End"/> or <see cref="Flow.Jump"/>.
    /// </summary>
    public static void UpdateMode(CpuState* s)
    {
        ModeKey m = ModeKey.None;
        bool protectedMode = (s->Cr0 & Cr0.PE) != 0;
        bool vm86 = (s->SystemFlags & Rflags.VM) != 0;
        bool longMode = (s->Efer & Efer.LMA) != 0;
        bool code64 = longMode && s->Cs.IsLong && !vm86;
        if (code64)
        {
            m |= ModeKey.Code64;
        }
        else if (s->Cs.IsBig)
        {
            m |= ModeKey.Code32;
        }

        m |= longMode ? ModeKey.LongMode : 0;
        m |= protectedMode ? ModeKey.Protected : 0;
        m |= vm86 ? ModeKey.Virtual8086 : 0;
        m |= s->Cpl == 0 ? ModeKey.Cpl0 : s->Cpl == 3 ? ModeKey.Cpl3 : 0;
        m |= (s->Cr0 & Cr0.TS) != 0 ? ModeKey.Ts : 0;
        m |= (s->Cr0 & Cr0.EM) != 0 ? ModeKey.Em : 0;
        m |= (s->Cr0 & Cr0.MP) != 0 ? ModeKey.Mp : 0;
        m |= (s->Cr4 & Cr4.OSFXSR) != 0 ? ModeKey.OsFxsr : 0;
        m |= (s->Cr4 & Cr4.OSXSAVE) != 0 ? ModeKey.OsXsave : 0;
        m |= (s->Xcr0 & 6) == 6 ? ModeKey.AvxEnabled : 0;
        m |= s->InSmm != 0 ? ModeKey.Smm : 0;
        m |= s->GuestMode != 0 ? ModeKey.GuestMode : 0;
        m |= (s->Efer & Efer.SVME) != 0 ? ModeKey.Svme : 0;
        m |= (s->Cr4 & Cr4.FSGSBASE) != 0 ? ModeKey.FsGsBase : 0;
        m |= (s->Cr4 & Cr4.PKE) != 0 ? ModeKey.Pke : 0;
        m |= (s->Efer & Efer.SCE) != 0 ? ModeKey.Sce : 0;
        m |= (s->Cr4 & Cr4.OSXMMEXCPT) != 0 ? ModeKey.OsXmmExcpt : 0;
        m |= (s->Cr4 & Cr4.UMIP) != 0 && s->Cpl != 0 ? ModeKey.Umip : 0;
        m |= !code64 && (s->Cs.Limit != uint.MaxValue || s->Cs.Base != 0) ? ModeKey.CsNotFlat : 0;
        m |= !code64 && s->Ss.IsBig ? ModeKey.Stack32 : 0;
        m |= !code64 && protectedMode && !vm86 && IsFlat(in s->Ds) && IsFlat(in s->Es) && IsFlat(in s->Ss) ? ModeKey.FlatData : 0;
        s->Mode = m;
        s->CodeBase = code64 ? 0 : s->Cs.Base;
        s->CodeLimit = code64 ? uint.MaxValue : s->Cs.Limit;

        // 16-bit code too counts in 32 bits: only branches with a 16-bit operand size cut EIP, and past the limit of CS there is #GP, no wrap. [SDM1 3.5]
        s->RipMask = code64 ? ulong.MaxValue : 0xFFFF_FFFF;
        s->StackMask = code64 ? ulong.MaxValue : s->Ss.IsBig ? 0xFFFF_FFFF : 0xFFFF;
        if (!code64)
        {
            SegmentEnds.UpdateAll(s);
        }

        TlbControl.UpdateTags(s);
    }

    /// <summary>
    /// As <see cref="UpdateMode"/> when 64-bit code took the place of 64-bit code in the same address space: only CPL, CS, SS and AC changed.
    /// </summary>
    public static void UpdateLevel(CpuState* s)
    {
        ModeKey m = s->Mode & ~(ModeKey.Cpl0 | ModeKey.Cpl3 | ModeKey.Umip);
        m |= s->Cpl == 0 ? ModeKey.Cpl0 : s->Cpl == 3 ? ModeKey.Cpl3 : 0;
        m |= (s->Cr4 & Cr4.UMIP) != 0 && s->Cpl != 0 ? ModeKey.Umip : 0;
        s->Mode = m;
        TlbControl.UpdateLevel(s);
    }

    private static bool IsFlat(in SegmentRegister r) =>
        r.Base == 0 && r.Limit == uint.MaxValue && r.IsUsable && (r.Attributes & (SegmentRegister.P | SegmentRegister.Code | SegmentRegister.ExpandDown | SegmentRegister.Writable))
            == (SegmentRegister.P | SegmentRegister.Writable);

    /// <summary>
    /// To be returned by an instruction that wrote RFLAGS through <see cref="LazyFlags.Write"/>: makes a change of IF, TF, VM, AC or RF take effect.
    /// </summary>
    public static Flow FlagsChanged(CpuState* s, ulong before)
    {
        ulong changed = s->SystemFlags ^ before;
        if ((changed & (Rflags.IF | Rflags.TF | Rflags.VM | Rflags.AC | Rflags.RF | Rflags.VIF | Rflags.VIP)) == 0)
        {
            return Flow.Next;
        }

        if ((changed & (Rflags.VM | Rflags.AC)) != 0)
        {
            UpdateMode(s);
        }

        EvaluateFlags(s, before);
        return Flow.End;
    }

    /// <summary>
    /// Has the run loop look at events if flags that were loaded can make a difference: a trap or a shielded instruction follows, or interrupts are let in
    /// and one waits. Those that come later post a request of their own.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void EvaluateFlags(CpuState* s, ulong before)
    {
        ulong flags = s->SystemFlags, changed = flags ^ before;
        if ((flags & (Rflags.TF | Rflags.RF | Rflags.VM)) != 0 || (changed & (Rflags.TF | Rflags.VM | Rflags.VIF | Rflags.VIP)) != 0 || s->GuestMode != 0
            || ((changed & flags & Rflags.IF) != 0 && Of(s).Bus.HasInterrupt))
        {
            Post(s, Request.Evaluate);
        }
    }

    /// <summary>Sets request bits; from any thread.</summary>
    public static void Post(CpuState* s, Request request) => Interlocked.Or(ref s->Requests, (int)request);
}
