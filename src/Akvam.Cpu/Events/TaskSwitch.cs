using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>Hardware task switches, outside long mode. [SDM3 7.3] [APM2 12.3]</summary>
/// <remarks>
/// Valid as long as the <see cref="CpuState"/> it is given. Results: <see cref="Flow.Jump"/>: switched; <see cref="Flow.Abort"/>: not switched, the fault
/// belongs to the old task; <see cref="Flow.End"/>: switched, and <see cref="CpuState.Fault"/> was raised in the new task, at whose first instruction
/// <see cref="CpuState.Rip"/> is: it has to be delivered.
/// </remarks>
internal static unsafe partial class TaskSwitch
{
    private const uint MinimumLimit16 = 0x2B, MinimumLimit32 = 0x67;
    private const uint DebugTaskSwitch = 1 << 15;

    /// <summary>DR7: L0-L3 and LE, the enables that hold for one task.</summary>
    private const ulong LocalEnables = 0x155;

    /// <summary>An interrupt or exception through a task gate of the IDT; <paramref name="flags"/> is the image to save.</summary>
    public static Flow ThroughInterruptGate(CpuState* s, ushort selector, ulong returnRip, ulong flags, uint ext, bool hasErrorCode, uint errorCode)
    {
        Flow flow = Check(s, selector, TaskSwitchCause.Interrupt, ext, out Descriptor tss);
        if (flow != Flow.Abort)
        {
            flow = Switch(s, TaskSwitchCause.Interrupt, selector, tss, returnRip, flags, ext);
        }

        return flow == Flow.Jump && hasErrorCode ? PushErrorCode(s, errorCode, ext) : flow;
    }

    /// <summary>JMP and CALL to a TSS or task gate, and IRET with NT set; the caller checked DPL. Delivers what the new task raises.</summary>
    public static Flow ByInstruction(CpuState* s, TaskSwitchCause cause, ushort selector, ulong nextRip)
    {
        if (Check(s, selector, cause, 0, out Descriptor tss) == Flow.Abort)
        {
            return Flow.Abort;
        }

        Flow flow = Switch(s, cause, selector, tss, nextRip, LazyFlags.Read(s), 0);
        return flow == Flow.End ? Delivery.Fault(s) : flow;
    }

    /// <summary>The TSS descriptor: in the GDT, available (IRET: busy), present, large enough. [SDM3 table 7-1]</summary>
    private static Flow Check(CpuState* s, ushort selector, TaskSwitchCause cause, uint ext, out Descriptor tss)
    {
        tss = default;
        uint error = (selector & 0xFFFCu) | ext;
        Vector vector = cause == TaskSwitchCause.Iret ? Vector.TS : Vector.GP;
        if ((selector & 4) != 0 || Segments.IsNull(selector))
        {
            return Fault.Raise(s, vector, error);
        }

        if (!DescriptorTable.Read(s, selector, vector, error, out tss))
        {
            return Flow.Abort;
        }

        bool right = cause == TaskSwitchCause.Iret
            ? tss.Type is Descriptor.TssBusy or Descriptor.TssBusy16
            : tss.Type is Descriptor.TssAvailable or Descriptor.TssAvailable16;
        if (!tss.IsSystem || !right)
        {
            return Fault.Raise(s, vector, error);
        }

        if (!tss.IsPresent)
        {
            return Fault.Np(s, error);
        }

        return tss.Limit < ((tss.Type & 8) != 0 ? MinimumLimit32 : MinimumLimit16) ? Fault.Ts(s, error) : Flow.Next;
    }

    private static Flow Switch(CpuState* s, TaskSwitchCause cause, ushort selector, Descriptor tss, ulong nextRip, ulong flags, uint ext)
    {
        bool wide = (tss.Type & 8) != 0;
        bool nests = cause is TaskSwitchCause.Call or TaskSwitchCause.Interrupt;
        ushort oldSelector = s->Tr.Selector;

        // Everything that can fault in the old task comes first.
        if (!Mem.Probe(s, tss.Base, wide ? Tss32Size : Tss16Size, AccessKind.Read, system: true)
            || (nests && !Mem.Probe(s, tss.Base, 2, AccessKind.Write, system: true))
            || !ProbeSave(s)
            || (cause != TaskSwitchCause.Iret && !DescriptorTable.ProbeType(s, selector))
            || (!nests && !Segments.IsNull(oldSelector) && !DescriptorTable.ProbeType(s, oldSelector)))
        {
            return Flow.Abort;
        }

        // The old state is saved before the new one is read: the two may overlap.
        if (Save(s, nextRip, cause == TaskSwitchCause.Iret ? flags & ~Rflags.NT : flags) == Flow.Abort || !Load(s, tss.Base, wide, out TaskImage image))
        {
            return Flow.Abort;
        }

        if ((!nests && !Segments.IsNull(oldSelector) && !DescriptorTable.SetBusy(s, oldSelector, busy: false))
            || (nests && Mem.StoreSystem(s, tss.Base, oldSelector) == Flow.Abort)
            || (cause != TaskSwitchCause.Iret && !DescriptorTable.SetBusy(s, selector, busy: true)))
        {
            return Flow.Abort;
        }

        s->Tr = tss.ToRegister(selector);
        s->Tr.Attributes |= 2;
        s->Cr0 |= Cr0.TS;
        return Enter(s, in image, nests, ext);
    }

    /// <summary>The error code of an exception goes onto the new task's stack, in the width of its TSS. [SDM3 6.12.2]</summary>
    private static Flow PushErrorCode(CpuState* s, uint errorCode, uint ext)
    {
        StackFrame frame = default;
        frame.Begin(s, (s->Tr.Type & 8) != 0 ? 4 : 2);
        frame.Push(errorCode);
        if (frame.Commit(s, ext) == Flow.Abort)
        {
            return Flow.End;
        }

        frame.SetRsp(s);
        return Flow.Jump;
    }
}
