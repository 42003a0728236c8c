using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe partial class Delivery
{
    /// <summary>Protected and virtual-8086 mode: 16- and 32-bit interrupt and trap gates, and task gates. [SDM3 6.12] [SDM2 INT n] [APM2 8.7]</summary>
    private static Flow Legacy(CpuState* s, EventRecord* e, ulong returnRip)
    {
        uint offset = (uint)e->Vector * 8;
        if (offset + 7 > s->IdtLimit)
        {
            return Events.Fault.Gp(s, IdtError(s, e));
        }

        if (!Mem.LoadSystem(s, (uint)(s->IdtBase + offset), out ulong raw))
        {
            return Flow.Abort;
        }

        var gate = new Descriptor(raw);
        bool isGate = gate.Type is Descriptor.TaskGate or Descriptor.InterruptGate16 or Descriptor.TrapGate16 or Descriptor.InterruptGate or Descriptor.TrapGate;
        if (!isGate || !gate.IsSystem || (ChecksGateDpl(e) && gate.Dpl < s->Cpl))
        {
            return Events.Fault.Gp(s, IdtError(s, e));
        }

        if (!gate.IsPresent)
        {
            return Events.Fault.Np(s, IdtError(s, e));
        }

        return gate.Type == Descriptor.TaskGate
            ? TaskSwitch.ThroughInterruptGate(s, gate.GateSelector, returnRip, FlagsImage(s, e), Ext(s, e), e->HasErrorCode, e->ErrorCode)
            : LegacyGate(s, e, gate, returnRip);
    }

    private static Flow LegacyGate(CpuState* s, EventRecord* e, Descriptor gate, ulong returnRip)
    {
        uint ext = Ext(s, e);
        ushort selector = gate.GateSelector;
        if (!CheckHandler(s, selector, ext, out Descriptor code))
        {
            return Flow.Abort;
        }

        bool wide = (gate.Type & 8) != 0;
        ulong rip = wide ? gate.GateOffset : gate.GateOffset & 0xFFFF;
        bool vm86 = (s->SystemFlags & Rflags.VM) != 0;
        int cpl = code.IsConforming ? s->Cpl : code.Dpl;
        bool inner = cpl < s->Cpl;
        if (vm86 && cpl != 0)
        {
            return Events.Fault.Gp(s, (selector & 0xFFFCu) | ext);
        }

        StackFrame frame = default;
        SegmentRegister ss = s->Ss;
        if (inner)
        {
            if (!TaskState.InnerStack(s, cpl, ext, out ss, out uint sp))
            {
                return Flow.Abort;
            }

            frame.Begin(s, wide ? 4 : 2, in ss, sp, cpl);
            if (vm86)
            {
                frame.Push(s->Gs.Selector);
                frame.Push(s->Fs.Selector);
                frame.Push(s->Ds.Selector);
                frame.Push(s->Es.Selector);
            }

            frame.Push(s->Ss.Selector);
            frame.Push(s->Gpr[Register.Rsp]);
        }
        else
        {
            frame.Begin(s, wide ? 4 : 2);
        }

        if (rip > code.Limit)
        {
            return Events.Fault.Gp(s, ext);
        }

        frame.Push(FlagsImage(s, e));
        frame.Push(s->Cs.Selector);
        frame.Push(returnRip);
        if (e->HasErrorCode)
        {
            frame.Push(e->ErrorCode);
        }

        uint stackError = inner ? (ss.Selector & 0xFFFCu) | ext : ext;
        if (!DescriptorTable.SetAccessed(s, selector, code) || frame.Commit(s, stackError) == Flow.Abort)
        {
            return Flow.Abort;
        }

        if (vm86)
        {
            s->Es = Segments.Null(in s->Es, 0);
            s->Ds = Segments.Null(in s->Ds, 0);
            s->Fs = Segments.Null(in s->Fs, 0);
            s->Gs = Segments.Null(in s->Gs, 0);
        }

        s->Cs = code.ToRegister((ushort)((selector & ~3) | cpl));
        s->Ss = ss;
        frame.SetRsp(s);
        Enter(s, gate, cpl, rip);
        return Flow.Jump;
    }

    /// <summary>The code segment that an interrupt gate names; false: the fault is set.</summary>
    private static bool CheckHandler(CpuState* s, ushort selector, uint ext, out Descriptor code)
    {
        code = default;
        uint error = (selector & 0xFFFCu) | ext;
        if (Segments.IsNull(selector))
        {
            Events.Fault.Gp(s, ext);
            return false;
        }

        if (!DescriptorTable.Read(s, selector, Vector.GP, error, out code))
        {
            return false;
        }

        if (!code.IsCode || code.Dpl > s->Cpl)
        {
            Events.Fault.Gp(s, error);
            return false;
        }

        if (!code.IsPresent)
        {
            Events.Fault.Np(s, error);
            return false;
        }

        return true;
    }

    /// <summary>TF, NT, RF and VM are cleared for every handler, IF by interrupt gates. [SDM3 6.12.1.3]</summary>
    private static void Enter(CpuState* s, Descriptor gate, int cpl, ulong rip)
    {
        s->SystemFlags &= ~(Rflags.TF | Rflags.NT | Rflags.RF | Rflags.VM | ((gate.Type & 1) == 0 ? Rflags.IF : 0));
        FarControl.Transfer(s, in s->Cs, cpl, rip);
    }
}
