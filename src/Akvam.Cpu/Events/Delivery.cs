using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>
/// Delivery of exceptions, interrupts and software interrupts through the IDT: the entry points and what is common to all modes.
/// </summary>
/// <remarks>
/// Valid as long as the <see cref="CpuState"/> it is given. All entry points return <see cref="Flow.Jump"/> with <see cref="CpuState.Rip"/> at the handler;
/// only <see cref="Software"/> may return <see cref="Flow.Abort"/>, for its instruction to return. When <see cref="CpuState.Delivering"/> is not empty
/// afterwards, user space has to supply data first (or events follow one another without end), and <see cref="Resume"/> goes on before anything else.
/// </remarks>
internal static unsafe partial class Delivery
{
    /// <summary>
    /// Events that may follow one another within one call. An #AC whose handler's own frame is misaligned repeats for ever on real processors too; the
    /// run loop must get its chance in between.
    /// </summary>
    private const int MaxChain = 16;

    private const ulong DebugBreakpoints = 0xF, DebugBusLock = 1 << 11, DebugGeneralDetect = 1 << 13, DebugRtm = 1 << 16, Dr7GeneralDetect = 1 << 13;

    /// <summary>Delivers <see cref="CpuState.Fault"/> with <see cref="CpuState.Rip"/> as return address, escalating to #DF and shutdown. [SDM3 6.15] [APM2 8.2.9]</summary>
    public static Flow Fault(CpuState* s)
    {
        for (int i = 0; i < MaxChain; i++)
        {
            EventRecord record = new()
            {
                Kind = EventKind.Exception,
                Vector = s->Fault.Vector,
                HasErrorCode = s->Fault.HasErrorCode,
                ErrorCode = s->Fault.ErrorCode,
                Payload = s->Fault.Payload,
            };
            if (Intercepts(s, &record))
            {
                return Flow.Jump;
            }

            // A page fault's address is known before it is combined into anything.
            ApplyPayload(s, in record);
            if (s->Delivering.Kind == EventKind.Exception)
            {
                Escalation escalation = Escalate(s->Delivering.Vector, record.Vector);
                if (escalation == Escalation.Shutdown)
                {
                    s->Delivering = default;
                    s->TripleFault = 1;
                    Processor.Post(s, Request.TripleFault);
                    return Flow.Jump;
                }

                if (escalation == Escalation.DoubleFault)
                {
                    record = new EventRecord { Kind = EventKind.Exception, Vector = Vector.DF, HasErrorCode = true };
                    if (Intercepts(s, &record))
                    {
                        return Flow.Jump;
                    }
                }
            }

            s->Delivering = record;
            if (Finish(s, Dispatch(s, &record, s->Rip)))
            {
                return Flow.Jump;
            }
        }

        return Flow.Jump;
    }

    /// <summary>As <see cref="Fault"/>, for an exception whose delivery had begun when it was saved: nobody intercepts it any more.</summary>
    public static Flow Injected(CpuState* s)
    {
        EventRecord record = new()
        {
            Kind = EventKind.Exception,
            Vector = s->Fault.Vector,
            HasErrorCode = s->Fault.HasErrorCode,
            ErrorCode = s->Fault.ErrorCode,
            Payload = s->Fault.Payload,
        };
        ApplyPayload(s, in record);
        s->Delivering = record;
        return Finish(s, Dispatch(s, &record, s->Rip)) ? Flow.Jump : Fault(s);
    }

    /// <summary>Delivers an interrupt from the interrupt controller; the caller looked at IF, shadow and GIF.</summary>
    public static Flow External(CpuState* s, byte vector) => Start(s, new EventRecord { Kind = EventKind.External, Vector = (Vector)vector });

    /// <summary>Delivers an NMI and blocks further ones until IRET. [SDM3 6.7.1]</summary>
    public static Flow Nmi(CpuState* s) => Start(s, new EventRecord { Kind = EventKind.Nmi, Vector = Vector.NMI });

    /// <summary>Begins the event in <see cref="CpuState.Delivering"/> again: after user space supplied data, or set it with KVM_SET_VCPU_EVENTS.</summary>
    public static Flow Resume(CpuState* s)
    {
        EventRecord record = s->Delivering;
        return Finish(s, Dispatch(s, &record, record.IsSoftware ? record.NextRip : s->Rip)) ? Flow.Jump : Fault(s);
    }

    /// <summary>
    /// INT n, INT3, INTO and INT1 at <paramref name="rip"/>. <see cref="Flow.Abort"/>: nothing is changed, and the fault is set for the instruction to raise.
    /// </summary>
    public static Flow Software(CpuState* s, Vector vector, EventKind kind, ulong rip, ulong nextRip)
    {
        EventRecord record = new() { Kind = kind, Vector = vector, NextRip = nextRip };
        ulong blockRip = s->Rip;
        s->Rip = rip;
        if (kind != EventKind.Software && Intercepts(s, &record))
        {
            return Flow.Jump;
        }

        s->Delivering = record;
        Flow flow = Dispatch(s, &record, nextRip);
        if (flow == Flow.Abort)
        {
            // The instruction is restarted as a whole; but an intercepted fault wants to know what was being delivered.
            s->Rip = blockRip;
            if (s->Abort != AbortReason.Fault)
            {
                s->Delivering = default;
            }

            return Flow.Abort;
        }

        return Finish(s, flow) ? Flow.Jump : Fault(s);
    }

    private static Flow Start(CpuState* s, EventRecord record)
    {
        if (Intercepts(s, &record))
        {
            return Flow.Jump;
        }

        if (record.Kind == EventKind.Nmi)
        {
            s->NmiMasked = 1;
            s->NmiInjected = 1;
        }

        s->Delivering = record;
        return Finish(s, Dispatch(s, &record, s->Rip)) ? Flow.Jump : Fault(s);
    }

    /// <summary>True when the event needs nothing more for now; false: <see cref="CpuState.Fault"/> has to be delivered.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Finish(CpuState* s, Flow flow)
    {
        if (flow == Flow.End || (flow == Flow.Abort && s->Abort == AbortReason.Fault))
        {
            s->NmiInjected = 0;
            return false;
        }

        if (flow != Flow.Abort)
        {
            s->Delivering.Kind = EventKind.None;
            s->NmiInjected = 0;
            s->Shadow = InterruptShadow.None;
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Intercepts(CpuState* s, EventRecord* record)
    {
        if (s->GuestMode == 0 || s->InterceptEvent == null || !s->InterceptEvent(s, record))
        {
            return false;
        }

        s->Delivering = default;
        return true;
    }

    /// <summary>
    /// Delivers one event. <see cref="Flow.Abort"/>: not delivered, nothing changed; <see cref="Flow.End"/>: a task switch was made, and
    /// <see cref="CpuState.Fault"/> was raised in the new task.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow Dispatch(CpuState* s, EventRecord* e, ulong returnRip) =>
        (s->Efer & Efer.LMA) != 0 ? Long(s, e, returnRip)
        : (s->Cr0 & Cr0.PE) != 0 ? Legacy(s, e, returnRip)
        : Real(s, e, returnRip);

    /// <summary>
    /// The EXT bit of error codes. Intel sets it unless the program asked for the event with INT n, INT3 or INTO; AMD for what comes from outside the processor.
    /// [SDM3 6.13] [APM2 8.4.1]
    /// </summary>
    private static uint Ext(CpuState* s, EventRecord* e) => e->Kind switch
    {
        EventKind.External or EventKind.Nmi => 1,
        EventKind.Software or EventKind.SoftwareException => 0,
        _ => Processor.Of(s).Cpuid.IsAmd ? 0u : 1u,
    };

    /// <summary>Only INT n, INT3 and INTO have to be allowed through a gate by its DPL. [SDM3 6.12.1.2]</summary>
    private static bool ChecksGateDpl(EventRecord* e) => e->Kind is EventKind.Software or EventKind.SoftwareException;

    private static uint IdtError(CpuState* s, EventRecord* e) => ((uint)e->Vector * 8) + 2 + Ext(s, e);

    /// <summary>The flags to push: RF is set in the image for faults, so that the instruction breakpoint does not hit again. [SDM3 17.3.1.1]</summary>
    private static ulong FlagsImage(CpuState* s, EventRecord* e)
    {
        ulong flags = LazyFlags.Read(s);
        if (e->Kind != EventKind.Exception)
        {
            return flags;
        }

        bool fault = e->Vector switch
        {
            Vector.DB => (e->Payload & DebugGeneralDetect) != 0,
            Vector.BP or Vector.OF or Vector.DF or Vector.MC or Vector.NMI => false,
            _ => true,
        };
        return fault ? flags | Rflags.RF : flags;
    }

    private static void ApplyPayload(CpuState* s, in EventRecord e)
    {
        if (e.Vector == Vector.PF)
        {
            s->Cr2 = e.Payload;
        }
        else if (e.Vector == Vector.DB)
        {
            // B3-B0 report this exception alone, the others add up; RTM and BLD are active low. GD is cleared for the handler. [SDM3 17.2.3] [APM2 13.1.1.3]
            const ulong ActiveLow = DebugRtm | DebugBusLock;
            s->Dr6 = ((s->Dr6 & ~DebugBreakpoints) | (e.Payload & ~ActiveLow)) & ~(e.Payload & ActiveLow);
            s->Dr7 &= ~Dr7GeneralDetect;
            s->StepsBranches = 0;
        }
    }

    private enum Escalation
    {
        None,
        DoubleFault,
        Shutdown,
    }

    /// <summary>What a second exception during the delivery of a first one makes. [SDM3 table 6-5] [APM2 table 8-4]</summary>
    private static Escalation Escalate(Vector first, Vector second)
    {
        bool contributory = IsContributory(second);
        if (first == Vector.DF)
        {
            return contributory || second == Vector.PF ? Escalation.Shutdown : Escalation.None;
        }

        if (first == Vector.PF)
        {
            return contributory || second == Vector.PF ? Escalation.DoubleFault : Escalation.None;
        }

        return IsContributory(first) && contributory ? Escalation.DoubleFault : Escalation.None;
    }

    private static bool IsContributory(Vector v) => v is Vector.DE or Vector.TS or Vector.NP or Vector.SS or Vector.GP or Vector.CP;
}
