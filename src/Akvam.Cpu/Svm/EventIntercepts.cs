using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Svm;

/// <summary>Events while L2 runs: those that L1 intercepts become a #VMEXIT, and virtual interrupts are taken. semantics.md 4.6. [APM2 15.12] [APM2 15.13] [APM2 15.21]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class EventIntercepts
{
    /// <summary>What <see cref="CpuState.InterceptEvent"/> asks: true when the event became a #VMEXIT.</summary>
    public static bool Intercept(CpuState* s, EventRecord* e)
    {
        VmcbControl* c = Processor.Of(s).Nested.Control;
        switch (e->Kind)
        {
            case EventKind.Exception or EventKind.SoftwareException when c->Has(SvmExitCode.Exception0 + (uint)e->Vector):
                VmExit.Leave(s, SvmExitCode.Exception0 + (uint)e->Vector, e->HasErrorCode ? e->ErrorCode : 0, e->Vector == Vector.PF ? e->Payload : 0);
                return true;
            case EventKind.Icebp when c->Has(SvmExitCode.Icebp):
                VmExit.Leave(s, SvmExitCode.Icebp, nextRip: e->NextRip);
                return true;
            default:
                return false;
        }
    }

    /// <summary>An SMI, INIT or NMI is due: true when it became a #VMEXIT; it waits for GIF then. [APM2 15.13]</summary>
    public static bool InterceptPending(CpuState* s, uint code)
    {
        if (s->GuestMode == 0 || !Processor.Of(s).Nested.Control->Has(code))
        {
            return false;
        }

        VmExit.Leave(s, code);
        return true;
    }

    /// <summary>
    /// An interrupt of the machine waits while L2 runs: true when it became a #VMEXIT. With V_INTR_MASKING L1's IF decides whether it is taken at all, and L2's
    /// shadow holds nothing back. [APM2 15.21.1]
    /// </summary>
    public static bool InterceptInterrupt(CpuState* s)
    {
        NestedState n = Processor.Of(s).Nested;
        return IsOpen(s, n) && InterceptPending(s, SvmExitCode.Intr);
    }

    /// <summary>True when interrupts of the machine may be taken, as far as IF goes.</summary>
    public static bool IsOpen(CpuState* s) => s->GuestMode == 0 ? (s->SystemFlags & Rflags.IF) != 0 : IsOpen(s, Processor.Of(s).Nested);

    private static bool IsOpen(CpuState* s, NestedState n) => ((n.MasksInterrupts ? n.Host->Rflags : s->SystemFlags) & Rflags.IF) != 0;

    /// <summary>Takes the virtual interrupt that waits for L2, if it may be taken: true when something happened. The shadow is the caller's. [APM2 15.21.4]</summary>
    public static bool TakeVirtualInterrupt(CpuState* s)
    {
        VmcbControl* c = Processor.Of(s).Nested.Control;
        uint v = c->VirtualInterrupt;
        uint priority = v >> VmcbControl.VPriorityShift & 0xF;
        if ((v & VmcbControl.VIrq) == 0 || (s->SystemFlags & Rflags.IF) == 0 || ((v & VmcbControl.VIgnoreTpr) == 0 && priority <= (v & 0xF)))
        {
            return false;
        }

        if (InterceptPending(s, SvmExitCode.Vintr))
        {
            return true;
        }

        c->VirtualInterrupt &= ~VmcbControl.VIrq;
        s->Activity = Activity.Runnable;
        Delivery.External(s, (byte)c->VirtualVector);
        return true;
    }

    /// <summary>A triple fault in L2: true when L1 intercepts it, and goes on. [APM2 15.14.3]</summary>
    public static bool InterceptShutdown(CpuState* s)
    {
        if (!InterceptPending(s, SvmExitCode.Shutdown))
        {
            return false;
        }

        s->TripleFault = 0;
        return true;
    }
}
