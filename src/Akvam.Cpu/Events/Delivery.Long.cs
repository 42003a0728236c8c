using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe partial class Delivery
{
    [StructLayout(LayoutKind.Sequential)]
    private struct Gate64
    {
        public ulong Low;
        public uint OffsetHigh;
        public uint Reserved;
    }

    /// <summary>Long mode: 16-byte gates, SS:RSP always pushed, the stack aligned to 16, IST. [SDM3 6.14] [APM2 8.9]</summary>
    [SkipLocalsInit]
    private static Flow Long(CpuState* s, EventRecord* e, ulong returnRip)
    {
        if (TryCommon(s, e, returnRip))
        {
            return Flow.Jump;
        }

        uint offset = (uint)e->Vector * 16;
        if (offset + 15 > s->IdtLimit)
        {
            return Events.Fault.Gp(s, IdtError(s, e));
        }

        if (!Mem.LoadSystem(s, s->IdtBase + offset, out Gate64 raw))
        {
            return Flow.Abort;
        }

        var gate = new Descriptor(raw.Low);
        if (!gate.IsSystem || gate.Type is not (Descriptor.InterruptGate or Descriptor.TrapGate) || (ChecksGateDpl(e) && gate.Dpl < s->Cpl))
        {
            return Events.Fault.Gp(s, IdtError(s, e));
        }

        if (!gate.IsPresent)
        {
            return Events.Fault.Np(s, IdtError(s, e));
        }

        uint ext = Ext(s, e);
        ushort selector = gate.GateSelector;
        if (!CheckHandler(s, selector, ext, out Descriptor code))
        {
            return Flow.Abort;
        }

        if (!code.IsLong || code.IsBig)
        {
            return Events.Fault.Gp(s, (selector & 0xFFFCu) | ext);
        }

        int cpl = code.IsConforming ? s->Cpl : code.Dpl;
        bool inner = cpl < s->Cpl;
        ulong rip = gate.GateOffset | ((ulong)raw.OffsetHigh << 32);
        ulong rsp = s->Gpr[Register.Rsp];
        if (gate.GateIst != 0)
        {
            if (!TaskState.LongStack(s, 0x1C + (gate.GateIst * 8), ext, out rsp))
            {
                return Flow.Abort;
            }
        }
        else if (inner && !TaskState.LongStack(s, 4 + (cpl * 8), ext, out rsp))
        {
            return Flow.Abort;
        }

        if (!Canonical.Is(s, rip))
        {
            return Events.Fault.Gp(s, ext);
        }

        ulong* frame = stackalloc ulong[6];
        ulong* low = frame;
        if (e->HasErrorCode)
        {
            *low++ = e->ErrorCode;
        }

        low[0] = returnRip;
        low[1] = s->Cs.Selector;
        low[2] = FlagsImage(s, e);
        low[3] = s->Gpr[Register.Rsp];
        low[4] = s->Ss.Selector;
        int bytes = (int)((byte*)(low + 5) - (byte*)frame);
        rsp = (rsp & ~15ul) - (ulong)bytes;
        if (!DescriptorTable.SetAccessed(s, selector, code) || StackFrame.StoreLong(s, rsp, (byte*)frame, bytes, cpl, ext) == Flow.Abort)
        {
            return Flow.Abort;
        }

        s->Cs = code.ToRegister((ushort)((selector & ~3) | cpl));
        if (inner)
        {
            // A change of level leaves a null SS whose RPL is the new CPL. [SDM3 6.14.4]
            s->Ss = Segments.Null(in s->Ss, (ushort)cpl);
        }

        s->Gpr[Register.Rsp] = rsp;
        Enter(s, gate, cpl, rip);
        return Flow.Jump;
    }
}
