using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>Far JMP and CALL to system descriptors: call gates of all sizes, task gates, TSSs. [SDM3 5.8.3-5.8.5] [APM2 4.10, 12.3] [SDM2 CALL]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class CallGate
{
    public static Flow Jump(CpuState* s, ushort selector, Descriptor d, ulong next)
    {
        if (!CheckSystem(s, selector, d))
        {
            return Flow.Abort;
        }

        if (!IsCallGate(d))
        {
            return Task(s, TaskSwitchCause.Jump, selector, d, next);
        }

        if (!Resolve(s, selector, d, isCall: false, out ushort target, out Descriptor code, out ulong rip))
        {
            return Flow.Abort;
        }

        SegmentRegister cs = code.ToRegister((ushort)((target & ~3) | s->Cpl));
        return FarControl.CheckRip(s, in cs, rip) && DescriptorTable.SetAccessed(s, target, code) ? FarControl.Transfer(s, in cs, s->Cpl, rip) : Flow.Abort;
    }

    public static Flow Call(CpuState* s, ushort selector, Descriptor d, ulong next)
    {
        if (!CheckSystem(s, selector, d))
        {
            return Flow.Abort;
        }

        if (!IsCallGate(d))
        {
            return Task(s, TaskSwitchCause.Call, selector, d, next);
        }

        if (!Resolve(s, selector, d, isCall: true, out ushort target, out Descriptor code, out ulong rip))
        {
            return Flow.Abort;
        }

        bool inner = !code.IsConforming && code.Dpl < s->Cpl;
        int cpl = inner ? code.Dpl : s->Cpl;
        SegmentRegister cs = code.ToRegister((ushort)((target & ~3) | cpl));
        bool longMode = Segments.IsLongMode(s);
        int width = longMode ? 8 : d.Type == Descriptor.CallGate ? 4 : 2;
        StackFrame frame = default;
        SegmentRegister ss = s->Ss;
        uint stackError = 0;
        if (!inner)
        {
            frame.Begin(s, width);
        }
        else if (longMode)
        {
            if (!TaskState.LongStack(s, 4 + (cpl * 8), 0, out ulong rsp))
            {
                return Flow.Abort;
            }

            // The new SS is null with the new level as RPL; nothing but the old stack pointer is copied. [SDM3 5.8.5.1]
            frame.BeginLong(s, rsp, cpl);
            frame.Push(s->Ss.Selector);
            frame.Push(s->Gpr[Register.Rsp]);
            ss = Segments.Null(in s->Ss, (ushort)cpl);
        }
        else
        {
            if (!TaskState.InnerStack(s, cpl, 0, out ss, out uint sp))
            {
                return Flow.Abort;
            }

            stackError = ss.Selector & 0xFFFCu;
            frame.Begin(s, width, in ss, sp, cpl);
            frame.Push(s->Ss.Selector);
            frame.Push(s->Gpr[Register.Rsp]);
            if (!CopyParameters(s, ref frame, d.GateParameters, width))
            {
                return Flow.Abort;
            }
        }

        frame.Push(s->Cs.Selector);
        frame.Push(next);
        if (!FarControl.CheckRip(s, in cs, rip) || !DescriptorTable.SetAccessed(s, target, code) || frame.Commit(s, stackError) == Flow.Abort)
        {
            return Flow.Abort;
        }

        s->Ss = ss;
        frame.SetRsp(s);
        return FarControl.Transfer(s, in cs, cpl, rip);
    }

    private static bool IsCallGate(Descriptor d) => d.Type is Descriptor.CallGate or Descriptor.CallGate16;

    /// <summary>A system descriptor that can be a far target, its gate or TSS open to this CPL and RPL; false: the fault is set.</summary>
    private static bool CheckSystem(CpuState* s, ushort selector, Descriptor d)
    {
        // Long mode has 64-bit call gates only. [APM2 4.8.3]
        bool known = d.Type == Descriptor.CallGate
            || (!Segments.IsLongMode(s) && d.Type is Descriptor.CallGate16 or Descriptor.TaskGate or Descriptor.TssAvailable or Descriptor.TssAvailable16);
        if (!known || (Segments.IsLongMode(s) && d.Type != Descriptor.CallGate) || d.Dpl < s->Cpl || d.Dpl < (selector & 3))
        {
            Fault.Gp(s, selector & 0xFFFCu);
            return false;
        }

        if (!d.IsPresent)
        {
            Fault.Np(s, selector & 0xFFFCu);
            return false;
        }

        return true;
    }

    private static Flow Task(CpuState* s, TaskSwitchCause cause, ushort selector, Descriptor d, ulong next) =>
        TaskSwitch.ByInstruction(s, cause, d.Type == Descriptor.TaskGate ? d.GateSelector : selector, next);

    /// <summary>Where a call gate leads; false: the fault is set.</summary>
    private static bool Resolve(CpuState* s, ushort gateSelector, Descriptor gate, bool isCall, out ushort selector, out Descriptor code, out ulong rip)
    {
        bool longMode = Segments.IsLongMode(s);
        code = default;
        rip = gate.Type == Descriptor.CallGate ? gate.GateOffset : gate.GateOffset & 0xFFFF;
        selector = gate.GateSelector;
        if (longMode)
        {
            if (!DescriptorTable.ReadUpper(s, gateSelector, gateSelector & 0xFFFCu, out uint upper))
            {
                return false;
            }

            rip |= (ulong)upper << 32;
        }

        if (!FarControl.ReadTarget(s, selector, out code))
        {
            return false;
        }

        // A jump may not change the level; a call may go inwards.
        bool allowed = code.IsConforming || isCall ? code.Dpl <= s->Cpl : code.Dpl == s->Cpl;
        if (!code.IsCode || !allowed || (longMode && (!code.IsLong || code.IsBig)))
        {
            Fault.Gp(s, selector & 0xFFFCu);
            return false;
        }

        if (!code.IsPresent)
        {
            Fault.Np(s, selector & 0xFFFCu);
            return false;
        }

        return true;
    }

    private static bool CopyParameters(CpuState* s, ref StackFrame frame, int count, int width)
    {
        for (int n = count - 1; n >= 0; n--)
        {
            ulong value;
            if (width == 4)
            {
                if (!Stack.Peek(s, n * 4, out uint wide))
                {
                    return false;
                }

                value = wide;
            }
            else
            {
                if (!Stack.Peek(s, n * 2, out ushort narrow))
                {
                    return false;
                }

                value = narrow;
            }

            frame.Push(value);
        }

        return true;
    }
}
