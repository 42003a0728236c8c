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
    private bool _exceptionIsPending;

    /// <summary>CR2 or DR6 already hold what belongs to the injected exception.</summary>
    private bool _exceptionHasPayload;

    public kvm_vcpu_events GetVcpuEvents()
    {
        lock (_gate)
        {
            CpuState* s = State();
            Absorb(s);
            var events = new kvm_vcpu_events { flags = AlwaysReported };
            if (_processor.InjectedException is { } exception)
            {
                events.exception.nr = (byte)exception.Vector;
                events.exception.has_error_code = exception.HasErrorCode ? (byte)1 : (byte)0;
                events.exception.error_code = exception.ErrorCode;
                events.exception.pending = _exceptionIsPending ? (byte)1 : (byte)0;
                events.exception.injected = _exceptionIsPending && _vm.ReportsExceptionPayload ? (byte)0 : (byte)1;
                events.exception_has_payload = _exceptionHasPayload ? (byte)1 : (byte)0;
                events.exception_payload = _exceptionHasPayload ? exception.Payload : 0;
            }

            if (_vm.ReportsExceptionPayload)
            {
                events.flags |= KvmState.KVM_VCPUEVENT_VALID_PAYLOAD;
            }

            if (TryGetInjectedInterrupt(out byte vector))
            {
                events.interrupt.injected = 1;
                events.interrupt.nr = vector;
            }

            AddEventInDelivery(in s->Delivering, ref events);
            events.interrupt.shadow = (byte)s->Shadow;
            events.nmi.injected |= s->NmiInjected;
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

            // An event whose delivery waits for user space is among those that are replaced.
            s->Delivering = default;
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
    /// A delivery that waits for data of user space is an injected event: it starts again elsewhere. Software interrupts are not reported, their instruction is executed again.
    /// </summary>
    private static void AddEventInDelivery(in EventRecord delivering, ref kvm_vcpu_events events)
    {
        switch (delivering.Kind)
        {
            case EventKind.External:
                events.interrupt.injected = 1;
                events.interrupt.nr = (byte)delivering.Vector;
                break;
            case EventKind.Nmi:
                events.nmi.injected = 1;
                break;
            case EventKind.Exception:
                events.exception.injected = 1;
                events.exception.nr = (byte)delivering.Vector;
                events.exception.has_error_code = delivering.HasErrorCode ? (byte)1 : (byte)0;
                events.exception.error_code = delivering.ErrorCode;
                break;
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
        if (!pending && events.exception.injected == 0)
        {
            _exceptionIsPending = false;
            _processor.InjectedException = null;
            return;
        }

        var vector = (Cpu.State.Vector)events.exception.nr;
        _exceptionIsPending = pending;
        _exceptionHasPayload = pending && events.exception_has_payload != 0;

        // Without a payload the registers that delivery would change already hold what the guest is to see.
        ulong payload = _exceptionHasPayload ? events.exception_payload : vector switch
        {
            Cpu.State.Vector.PF => s->Cr2,
            Cpu.State.Vector.DB => s->Dr6 & ControlRegisters.Dr6Volatile,
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
