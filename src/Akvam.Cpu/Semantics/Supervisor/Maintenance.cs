using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>
/// INVLPG, INVPCID, the cache instructions, HLT, MONITOR, MWAIT, VMCALL, VMMCALL. [APM3 INVLPG] [APM3 INVPCID] [APM3 HLT] [APM3 MONITOR] [KVM hypercalls.rst]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Maintenance
{
    /// <summary>Neither limit nor type of the segment is checked, and a non-canonical address does nothing.</summary>
    private static Flow Invlpg(CpuState* s, Insn* i)
    {
        ulong linear = Mem.Ea(s, i);
        bool code64 = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;
        if (!code64 || i->Segment >= Segment.Fs)
        {
            linear += (&s->Es + i->Segment)->Base;
        }

        linear = code64 ? linear : (uint)linear;
        if (Canonical.Is(s, linear))
        {
            TlbControl.FlushPage(s, linear);
        }

        return Flow.End;
    }

    private static Flow Invpcid32(CpuState* s, Insn* i) => Invpcid(s, i, Operand.Get<uint>(s, i->R0));

    private static Flow Invpcid64(CpuState* s, Insn* i) => Invpcid(s, i, Operand.Get<ulong>(s, i->R0));

    private static Flow Invpcid(CpuState* s, Insn* i, ulong type)
    {
        if (!Mem.Load(s, i, out UInt128 descriptor))
        {
            return Flow.Abort;
        }

        ulong pcid = (ulong)descriptor, linear = (ulong)(descriptor >> 64);
        bool wrongPcid = pcid >= 4096 || (type < 2 && pcid != 0 && (s->Cr4 & Cr4.PCIDE) == 0);
        if (type > 3 || wrongPcid || (type == 0 && !Canonical.IsForAnyMode(s, linear)))
        {
            return Fault.Gp(s, 0);
        }

        switch (type)
        {
            case 0:
                TlbControl.FlushPage(s, linear, (uint)pcid);
                break;
            case 1:
                TlbControl.FlushPcid(s, (uint)pcid);
                break;
            default:
                // 2: everything; 3: everything but global translations, which need not be kept.
                TlbControl.FlushAll(s);
                break;
        }

        return Flow.End;
    }

    /// <summary>Caches are the host's and coherent.</summary>
    private static Flow Nothing(CpuState* s, Insn* i) => Flow.Next;

    private static Flow Hlt(CpuState* s, Insn* i)
    {
        s->Activity = Activity.Halted;
        Processor.Post(s, Request.Evaluate);
        return Flow.End;
    }

    /// <summary>The checks of MONITOR, without a monitor: MWAIT never waits.</summary>
    private static Flow Monitor<TAddress>(CpuState* s, Insn* i)
        where TAddress : unmanaged
    {
        if (s->Cpl != 0 || !HasMwait(s))
        {
            return Fault.Ud(s);
        }

        if ((uint)s->Gpr[State.Register.Rcx] != 0)
        {
            return Fault.Gp(s, 0);
        }

        ulong linear = 0;
        *(TAddress*)&linear = Operand.Get<TAddress>(s, 0);
        return SegmentCheck.Linear(s, i->Segment, 1, AccessKind.Read, ref linear) && Mem.Probe(s, linear, 1, AccessKind.Read) ? Flow.Next : Flow.Abort;
    }

    private static Flow Mwait(CpuState* s, Insn* i) =>
        s->Cpl != 0 || !HasMwait(s) ? Fault.Ud(s) : ((uint)s->Gpr[State.Register.Rcx] & ~1u) != 0 ? Fault.Gp(s, 0) : Flow.End;

    private static bool HasMwait(CpuState* s)
    {
        Processor p = Processor.Of(s);
        return (p.Quirks & ProcessorQuirks.MwaitNeverUd) != 0 || p.OffersMwait;
    }

    private static Flow Vmcall(CpuState* s, Insn* i) => Hypercall(s, i, isNative: !Processor.Of(s).Cpuid.IsAmd);

    private static Flow Vmmcall(CpuState* s, Insn* i) => Hypercall(s, i, isNative: Processor.Of(s).Cpuid.IsAmd);

    /// <summary>
    /// Without a hypervisor interface the instruction does not exist. The vendor's other one is written over by its own, with the guest's right to write there, if that is
    /// asked for: code that was made for the other vendor then goes on with its own. [KVM 7.31 KVM_X86_QUIRK_FIX_HYPERCALL_INSN]
    /// </summary>
    private static Flow Hypercall(CpuState* s, Insn* i, bool isNative)
    {
        Processor p = Processor.Of(s);
        if (!isNative)
        {
            if ((p.Quirks & ProcessorQuirks.FixHypercall) == 0)
            {
                return Fault.Ud(s);
            }

            byte* native = stackalloc byte[] { 0x0F, 0x01, p.Cpuid.IsAmd ? (byte)0xD9 : (byte)0xC1 };
            ulong rip = (i->NextRip(s) - 3) & s->RipMask;
            ulong linear = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? rip : (uint)(s->Cs.Base + rip);
            if (Mem.StoreBytes(s, linear, native, 3) == Flow.Abort)
            {
                return Flow.Abort;
            }

            if (s->GuestMode != 0)
            {
                // L1 may intercept what stands there now: it is executed from the start.
                s->Rip = rip;
                return Flow.Jump;
            }
        }

        return p.Bus.Hypercall(p) ? Flow.End : Fault.Ud(s);
    }

    internal static void Register(IsaBuilder b)
    {
        const Legality Privileged = Legality.Cpl0 | Legality.EndsBlock;
        b.Add(Code.Invlpg_m, null, &Invlpg, legality: Privileged);
        b.Add(Code.Invpcid_r32_m128, null, &Invpcid32, legality: Privileged);
        b.Add(Code.Invpcid_r64_m128, null, &Invpcid64, legality: Privileged);
        b.Add(Code.Invd, &Nothing, legality: Legality.Cpl0);
        b.Add(Code.Wbinvd, &Nothing, legality: Legality.Cpl0);
        b.Add(Code.Wbnoinvd, &Nothing, legality: Legality.Cpl0);
        b.Add(Code.Hlt, &Hlt, legality: Privileged);
        b.Add(Code.Monitorw, &Monitor<ushort>);
        b.Add(Code.Monitord, &Monitor<uint>);
        b.Add(Code.Monitorq, &Monitor<ulong>);
        b.Add(Code.Mwait, &Mwait, legality: Legality.EndsBlock);
        b.Add(Code.Vmcall, &Vmcall, legality: Legality.EndsBlock);
        b.Add(Code.Vmmcall, &Vmmcall, legality: Legality.EndsBlock);
    }
}
