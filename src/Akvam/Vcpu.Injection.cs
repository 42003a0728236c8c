using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>Interrupts, NMI and SMI from the client. [KVM 4.16] [KVM 4.64] [KVM 4.119]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>KVM_INTERRUPT: delivers a vector of the client's own interrupt controller at the next <see cref="Run"/>.</summary>
    /// <exception cref="KvmException">EINVAL: no such vector; ENXIO: the PIC is KVM's; EEXIST: with a split irqchip, one waits already.</exception>
    public void Interrupt(uint vector)
    {
        lock (_gate)
        {
            CpuState* s = State();
            if (vector > byte.MaxValue)
            {
                throw new KvmException(Errno.EINVAL, $"vector {vector}");
            }

            if (_vm.Irqchip is not null)
            {
                throw new KvmException(Errno.ENXIO, "the interrupt controllers are KVM's");
            }

            if (_bus.Lapic is null)
            {
                InjectInterrupt(s, (byte)vector);
            }
            else if (Interlocked.CompareExchange(ref _userExtInt, (int)vector, -1) >= 0)
            {
                throw new KvmException(Errno.EEXIST, "an interrupt of the client's PIC waits already");
            }

            Post(Request.Interrupt);
        }
    }

    /// <summary>KVM_NMI: latches an NMI. Any thread, also while another is in <see cref="Run"/>.</summary>
    public void Nmi()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        PostNmi();
    }

    /// <summary>KVM_SMI: latches an SMI, which takes the processor to System Management Mode. Any thread, also while another is in <see cref="Run"/>.</summary>
    public void Smi()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        PostSmi();
    }

    private void InjectInterrupt(CpuState* s, byte vector) => _processor.InjectedInterrupt = vector;

    /// <summary>An interrupt that the controllers know as delivered, but the guest does not: one in mid-delivery, or one that was injected.</summary>
    private bool TryGetInjectedInterrupt(out byte vector)
    {
        EventRecord delivering = _processor.State->Delivering;
        if (delivering.Kind == EventKind.External)
        {
            vector = (byte)delivering.Vector;
            return true;
        }

        vector = (byte)_processor.InjectedInterrupt;
        return _processor.InjectedInterrupt >= 0;
    }

    private void DropPendingException()
    {
        if (ExceptionIsPending)
        {
            ExceptionIsPending = false;
            _processor.InjectedException = null;
        }

        _processor.State->PendingDebug = 0;
    }
}
