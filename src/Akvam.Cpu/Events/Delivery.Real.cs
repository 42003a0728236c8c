using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe partial class Delivery
{
    /// <summary>
    /// Real mode: through the table of far pointers at IDTR; no error code is pushed. Beyond the table's limit #GP, which ends in shutdown
    /// when its own pointer and #DF's are outside too. [SDM3 20.1.4] [APM2 8.6]
    /// </summary>
    private static Flow Real(CpuState* s, EventRecord* e, ulong returnRip)
    {
        uint offset = (uint)e->Vector * 4;
        if (offset + 3 > s->IdtLimit)
        {
            return Events.Fault.Gp(s, IdtError(s, e));
        }

        return Mem.LoadSystem(s, (uint)(s->IdtBase + offset), out uint pointer)
            ? EnterVector(s, pointer, LazyFlags.Read(s), returnRip, Rflags.IF | Rflags.TF | Rflags.AC | Rflags.RF)
            : Flow.Abort;
    }

    /// <summary>
    /// INT n in virtual-8086 mode under CR4.VME when the TSS's redirection bitmap sends it to the 8086 program's own handler. [SDM3 20.3.3] False: it does
    /// not, or a fault is set (<paramref name="flow"/> is <see cref="Flow.Abort"/>).
    /// </summary>
    public static bool Redirect(CpuState* s, byte vector, ulong nextRip, out Flow flow)
    {
        flow = Flow.Next;
        if (!TaskState.IsRedirected(s, vector, out bool aborted))
        {
            flow = aborted ? Flow.Abort : Flow.Next;
            return false;
        }

        if (!Mem.LoadSystem(s, (uint)vector * 4, out uint pointer))
        {
            flow = Flow.Abort;
            return false;
        }

        ulong flags = LazyFlags.Read(s);
        if ((flags & Rflags.IOPL) == Rflags.IOPL)
        {
            flow = EnterVector(s, pointer, flags, nextRip, Rflags.IF | Rflags.TF);
            return true;
        }

        // The program sees IOPL 3, and VIF in the place of IF.
        ulong image = (flags & ~Rflags.IF) | Rflags.IOPL | ((flags & Rflags.VIF) != 0 ? Rflags.IF : 0);
        flow = EnterVector(s, pointer, image, nextRip, Rflags.VIF | Rflags.TF);
        return true;
    }

    private static Flow EnterVector(CpuState* s, uint pointer, ulong flags, ulong returnRip, ulong clear)
    {
        ulong rip = pointer & 0xFFFF;
        if (rip > s->Cs.Limit)
        {
            return Events.Fault.Gp(s, 0);
        }

        StackFrame frame = default;
        frame.Begin(s, 2);
        frame.Push(flags);
        frame.Push(s->Cs.Selector);
        frame.Push(returnRip);
        if (frame.Commit(s, 0) == Flow.Abort)
        {
            return Flow.Abort;
        }

        ushort selector = (ushort)(pointer >> 16);
        s->Cs = Segments.RealMode(in s->Cs, selector);
        s->SystemFlags &= ~clear;
        s->Rip = rip;
        frame.SetRsp(s);
        Processor.UpdateMode(s);
        return Flow.Jump;
    }
}
