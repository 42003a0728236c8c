using System.Runtime.CompilerServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <content>
/// The common case of <see cref="Long"/> without a call: gate, code segment, RSP0 and the stack are in the TLB, and nothing about them is out of the ordinary. There is
/// no fault to be raised then, so the order of checks does not matter.
/// </content>
internal static unsafe partial class Delivery
{
    /// <summary>Of a gate or a segment, in bits 40 and up of its descriptor.</summary>
    private const int AccessShift = 40;

    /// <summary>Present, of the system, interrupt or trap gate: type 14 or 15, whatever the DPL.</summary>
    private const ulong GateMask = 0x9Eul << AccessShift, Gate = 0x8Eul << AccessShift, IstMask = 7ul << 32;

    /// <summary>False: nothing is done, and <see cref="Long"/> has to look at everything one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryCommon(CpuState* s, EventRecord* e, ulong returnRip)
    {
        uint offset = (uint)e->Vector * 16;
        ulong linear = s->IdtBase + offset;
        TlbEntry* entry = Mem.Entry(s, linear);
        if (offset + 15 > s->IdtLimit || entry->Read != (((linear + 15) & ~TlbTag.Mask) | s->SystemTag))
        {
            return false;
        }

        ulong gate = *(ulong*)(linear + entry->Addend);
        ulong rip = new Descriptor(gate).GateOffset | ((ulong)*(uint*)(linear + entry->Addend + 8) << 32);
        ushort selector = new Descriptor(gate).GateSelector;
        int cpl = s->Cpl;
        if ((gate & (GateMask | IstMask)) != Gate || (ChecksGateDpl(e) && new Descriptor(gate).Dpl < cpl) || !Canonical.Is(s, rip)
            || !DescriptorTable.TryCommonCode(s, selector, out Descriptor code) || code.Dpl != 0)
        {
            return false;
        }

        ulong rsp = s->Gpr[Register.Rsp];
        ulong tag = s->DataTag;
        if (cpl != 0)
        {
            const int Rsp0 = 4;
            linear = s->Tr.Base + Rsp0;
            entry = Mem.Entry(s, linear);
            if (s->Tr.Limit < Rsp0 + 7 || entry->Read != (((linear + 7) & ~TlbTag.Mask) | s->SystemTag))
            {
                return false;
            }

            rsp = *(ulong*)(linear + entry->Addend);
            tag = StackFrame.TagFor(s, 0);
        }

        uint bytes = e->HasErrorCode ? 48u : 40;
        rsp = (rsp & ~15ul) - bytes;
        entry = Mem.Entry(s, rsp);
        if (entry->Write != (((rsp + bytes - 1) & ~TlbTag.Mask) | tag))
        {
            return false;
        }

        ulong* frame = (ulong*)(rsp + entry->Addend);
        if (e->HasErrorCode)
        {
            *frame++ = e->ErrorCode;
        }

        frame[0] = returnRip;
        frame[1] = s->Cs.Selector;
        frame[2] = FlagsImage(s, e);
        frame[3] = s->Gpr[Register.Rsp];
        frame[4] = s->Ss.Selector;
        s->Gpr[Register.Rsp] = rsp;
        s->Cs = code.ToRegister((ushort)(selector & ~3));
        s->SystemFlags &= ~(Rflags.TF | Rflags.NT | Rflags.RF | Rflags.VM | ((gate & (1ul << AccessShift)) == 0 ? Rflags.IF : 0));
        s->Rip = rip;
        if (cpl != 0)
        {
            s->Ss = Segments.Null(in s->Ss, 0);
            s->Cpl = 0;
        }

        if (!Segments.IsCode64(s))
        {
            Processor.UpdateMode(s);
        }
        else if (cpl != 0)
        {
            Processor.UpdateLevel(s);
        }

        return true;
    }
}
