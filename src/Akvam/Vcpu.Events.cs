using Akvam.Abi;
using Akvam.Cpu.Smm;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Events on their way into the guest, and what blocks them. [KVM 4.31]</content>
public sealed unsafe partial class Vcpu
{
    private const uint AlwaysReported = KvmState.KVM_VCPUEVENT_VALID_NMI_PENDING | KvmState.KVM_VCPUEVENT_VALID_SHADOW | KvmState.KVM_VCPUEVENT_VALID_SMM;
    private const uint KnownEventFlags = AlwaysReported | KvmState.KVM_VCPUEVENT_VALID_SIPI_VECTOR | KvmState.KVM_VCPUEVENT_VALID_PAYLOAD | KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
    private const int LastException = 31;

    /// <summary>The processor's injected exception came as a pending one, whose delivery has not begun.</summary>
    private bool ExceptionIsPending
    {
        get => _processor.IsExceptionPending;
        set => _processor.IsExceptionPending = value;
    }


    /// <summary>CR2 or DR6 already hold what belongs to the injected exception.</summary>
    private bool _exceptionHasPayload;

    public kvm_vcpu_events GetVcpuEvents()
    {
        lock (_gate)
        {
            CpuState* s = State();
            Absorb(s);
            var events = new kvm_vcpu_events { flags = AlwaysReported };
            ReportException(s, ref events);
            if (_vm.ReportsExceptionPayload)
            {
                events.flags |= KvmState.KVM_VCPUEVENT_VALID_PAYLOAD;
            }

            if (TryGetInjectedInterrupt(out byte vector))
            {
                events.interrupt.injected = 1;
                events.interrupt.nr = vector;
            }

            events.interrupt.shadow = (byte)s->Shadow;
            events.nmi.injected = s->NmiInjected;
            events.nmi.pending = s->NmiPending != 0 ? (byte)1 : (byte)0;
            events.nmi.masked = s->NmiMasked;
            events.smi.smm = s->InSmm;
            events.smi.pending = s->SmiPending;
            events.smi.smm_inside_nmi = s->SmmInsideNmi;
            events.smi.latched_init = _bus.Lapic is not null ? s->InitPending : (byte)0;
            if (_vm.ReportsTripleFault)
            {
                events.flags |= KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
                events.triple_fault.pending = s->TripleFault;
            }

            return events;
        }
    }

    /// <exception cref="KvmException">EINVAL, nothing changed: unknown flags, no such exception, a capability that is not enabled, SMM while waiting for SIPI.</exception>
    public void SetVcpuEvents(in kvm_vcpu_events events)
    {
        lock (_gate)
        {
            CpuState* s = State();
            CheckEvents(s, in events);
            Absorb(s);
            ForgetDelivery(s);
            SetException(s, in events);
            if (events.interrupt.injected != 0 && events.interrupt.soft == 0)
            {
                InjectInterrupt(s, events.interrupt.nr);
            }
            else
            {
                _processor.InjectedInterrupt = -1;
            }

            if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_SHADOW) != 0)
            {
                s->Shadow = (InterruptShadow)(events.interrupt.shadow & 3);
            }

            s->NmiInjected = Bool(events.nmi.injected);
            if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_NMI_PENDING) != 0)
            {
                s->NmiPending = Math.Min(events.nmi.pending, (byte)MostPendingNmis);
            }

            s->NmiMasked = Bool(events.nmi.masked);
            if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_SIPI_VECTOR) != 0 && _bus.Lapic is not null)
            {
                s->SipiVector = (byte)events.sipi_vector;
            }

            if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_SMM) != 0)
            {
                SmmMode.SetByUser(s, events.smi.smm != 0);
                s->SmiPending = Bool(events.smi.pending);
                s->SmmInsideNmi = s->InSmm != 0 ? Bool(events.smi.smm_inside_nmi) : (byte)0;
                if (_bus.Lapic is not null)
                {
                    s->InitPending = Bool(events.smi.latched_init);
                }
            }

            if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT) != 0)
            {
                s->TripleFault = Bool(events.triple_fault.pending);
            }

            Changed(s);
        }
    }

    /// <summary>
    /// The exception in mid-delivery, if user space has to supply something before its handler is reached; one that waits for its delivery to begin; or the
    /// debug trap of the last instruction.
    /// </summary>
    private void ReportException(CpuState* s, ref kvm_vcpu_events events)
    {
        if (s->PendingDebug != 0 && !_vm.ReportsExceptionPayload && (s->Shadow & InterruptShadow.MovSs) == 0 && _processor.InjectedException is null
            && s->Delivering.Kind == EventKind.None)
        {
            // A client that does not know payloads finds them in DR6.
            _processor.InjectedException = new FaultRecord { Vector = Cpu.State.Vector.DB, Payload = s->PendingDebug };
            ControlRegisters.TrySetDr6(s, (s->Dr6 & ~0xFul) | s->PendingDebug);
            s->PendingDebug = 0;
            ExceptionIsPending = true;
            _exceptionHasPayload = false;
        }

        if (s->Delivering.Kind is EventKind.Exception or EventKind.SoftwareException or EventKind.Icebp)
        {
            EventRecord e = s->Delivering;
            events.exception.injected = 1;
            events.exception.nr = (byte)e.Vector;
            events.exception.has_error_code = e.HasErrorCode ? (byte)1 : (byte)0;
            events.exception.error_code = e.ErrorCode;
        }
        else if (_processor.InjectedException is { } exception)
        {
            events.exception.nr = (byte)exception.Vector;
            events.exception.has_error_code = exception.HasErrorCode ? (byte)1 : (byte)0;
            events.exception.error_code = exception.ErrorCode;
            events.exception.pending = ExceptionIsPending ? (byte)1 : (byte)0;
            events.exception.injected = ExceptionIsPending && _vm.ReportsExceptionPayload ? (byte)0 : (byte)1;
            events.exception_has_payload = _exceptionHasPayload ? (byte)1 : (byte)0;
            events.exception_payload = _exceptionHasPayload ? exception.Payload : 0;
        }
        else if (s->PendingDebug != 0)
        {
            events.exception.nr = (byte)Cpu.State.Vector.DB;
            events.exception.pending = 1;
            events.exception_has_payload = 1;
            events.exception_payload = s->PendingDebug;
        }
    }

    /// <summary>A delivery that waits for user space is given up: what is set now says whether it begins again.</summary>
    private void ForgetDelivery(CpuState* s)
    {
        if (s->Delivering.Kind != EventKind.None)
        {
            s->Delivering = default;
            _processor.Pending.Abandon();
        }
    }

    private static byte Bool(byte value) => value != 0 ? (byte)1 : (byte)0;

    private void CheckEvents(CpuState* s, in kvm_vcpu_events events)
    {
        uint flags = KnownEventFlags;
        flags &= _vm.ReportsExceptionPayload ? ~0u : ~KvmState.KVM_VCPUEVENT_VALID_PAYLOAD;
        flags &= _vm.ReportsTripleFault ? ~0u : ~KvmState.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        if ((events.flags & ~flags) != 0)
        {
            throw new KvmException(Errno.EINVAL, $"flags {events.flags:x} of kvm_vcpu_events");
        }

        bool pending = events.exception.pending != 0 && (events.flags & KvmState.KVM_VCPUEVENT_VALID_PAYLOAD) != 0;
        if ((events.exception.injected != 0 || pending) && (events.exception.nr > LastException || events.exception.nr == (byte)Cpu.State.Vector.NMI))
        {
            throw new KvmException(Errno.EINVAL, $"exception {events.exception.nr}");
        }

        // An SMI must not force a processor out of waiting for SIPI.
        if ((events.flags & KvmState.KVM_VCPUEVENT_VALID_SMM) != 0 && (events.smi.smm != 0 || events.smi.pending != 0) && s->Activity == Activity.InitReceived)
        {
            throw new KvmException(Errno.EINVAL, "SMM while waiting for SIPI");
        }
    }

    private void SetException(CpuState* s, in kvm_vcpu_events events)
    {
        bool withPayload = (events.flags & KvmState.KVM_VCPUEVENT_VALID_PAYLOAD) != 0;
        bool pending = withPayload && events.exception.pending != 0;
        s->PendingDebug = 0;
        if (!pending && events.exception.injected == 0)
        {
            ExceptionIsPending = false;
            _processor.InjectedException = null;
            return;
        }

        if (pending && events.exception.nr == (byte)Cpu.State.Vector.DB && events.exception_has_payload != 0)
        {
            // A debug trap keeps its place among the events of an instruction boundary.
            ExceptionIsPending = false;
            _processor.InjectedException = null;
            s->PendingDebug = (uint)events.exception_payload;
            return;
        }

        var vector = (Cpu.State.Vector)events.exception.nr;
        ExceptionIsPending = pending;
        _exceptionHasPayload = pending && events.exception_has_payload != 0;

        // Without a payload the registers that delivery would change already hold what the guest is to see.
        ulong payload = _exceptionHasPayload ? events.exception_payload : vector switch
        {
            Cpu.State.Vector.PF => s->Cr2,
            Cpu.State.Vector.DB => ControlRegisters.Dr6AsPayload(s),
            _ => 0,
        };
        _processor.InjectedException = new FaultRecord
        {
            Vector = vector,
            HasErrorCode = events.exception.has_error_code != 0,
            ErrorCode = events.exception.error_code,
            Payload = payload,
        };
    }
}
