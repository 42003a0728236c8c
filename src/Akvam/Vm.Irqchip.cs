using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <content>Interrupt controllers and the timer, where they are KVM's. [KVM 4.24]</content>
public sealed partial class Vm
{
    private TimerQueue? _ownTimers;
    private ITimerHost? _timers;
    private IrqRouter? _splitRouter;

    /// <summary>PIC, IOAPIC and routing; null: none, or the client's (a split irqchip).</summary>
    internal Irqchip? Irqchip { get; private set; }

    /// <summary>What local APICs talk through; null: they are the client's.</summary>
    internal ApicBus? ApicBus { get; private set; }

    internal ITimerHost Timers => _timers ??= _ownTimers = new TimerQueue(Clock.Source);

    private IrqRouter? Router => Irqchip?.Router ?? _splitRouter;

    /// <summary>KVM_CREATE_IRQCHIP: local APICs for the vCPUs to come, an IOAPIC, the 8259 pair. [KVM 4.24]</summary>
    /// <exception cref="KvmException">EEXIST: there is one; EINVAL: there are vCPUs already.</exception>
    public void CreateIrqchip()
    {
        lock (_gate)
        {
            CheckNoIrqchip();
            ApicBus = new ApicBus();
            Irqchip = new Irqchip(ApicBus);
        }
    }

    /// <summary>KVM_CREATE_PIT2: the 8254, on GSI 0. [KVM 4.71]</summary>
    /// <exception cref="KvmException">EEXIST: there is one; ENOENT: no irqchip of KVM's.</exception>
    public void CreatePit2(in kvm_pit_config config)
    {
        lock (_gate)
        {
            if (OwnIrqchip(Errno.ENOENT).CreatePit(Clock.Source, Timers, (config.flags & KvmIrq.KVM_PIT_SPEAKER_DUMMY) != 0) is null)
            {
                throw new KvmException(Errno.EEXIST, "PIT");
            }
        }
    }

    /// <summary>KVM_GET_IRQCHIP. [KVM 4.26]</summary>
    /// <param name="chipId">One of <see cref="KvmIrq"/>'s KVM_IRQCHIP_*.</param>
    /// <exception cref="KvmException">ENXIO: no irqchip of KVM's; EINVAL: no such chip.</exception>
    public kvm_irqchip GetIrqchip(uint chipId)
    {
        lock (_gate)
        {
            return ChipState.Get(OwnIrqchip(Errno.ENXIO), chipId);
        }
    }

    /// <summary>KVM_SET_IRQCHIP. [KVM 4.27]</summary>
    /// <exception cref="KvmException">ENXIO: no irqchip of KVM's; EINVAL: no such chip.</exception>
    public void SetIrqchip(in kvm_irqchip chip)
    {
        lock (_gate)
        {
            ChipState.Set(OwnIrqchip(Errno.ENXIO), in chip);
        }
    }

    /// <summary>KVM_GET_PIT2. [KVM 4.72]</summary>
    /// <exception cref="KvmException">ENXIO: no PIT.</exception>
    public kvm_pit_state2 GetPit2()
    {
        lock (_gate)
        {
            return ChipState.Get(OwnPit());
        }
    }

    /// <summary>KVM_SET_PIT2. [KVM 4.73]</summary>
    /// <exception cref="KvmException">ENXIO: no PIT.</exception>
    public void SetPit2(in kvm_pit_state2 state)
    {
        lock (_gate)
        {
            ChipState.Set(OwnPit(), in state);
        }
    }

    /// <summary>KVM_REINJECT_CONTROL: whether ticks that the guest missed come later.</summary>
    /// <exception cref="KvmException">ENXIO: no PIT.</exception>
    public void SetPitReinject(bool reinject)
    {
        lock (_gate)
        {
            OwnPit().Reinject = reinject;
        }
    }

    /// <summary>KVM_SET_GSI_ROUTING: replaces the whole table. [KVM 4.52]</summary>
    /// <exception cref="KvmException">EINVAL: no irqchip, a flag, a type or pin that does not exist; the table is unchanged then.</exception>
    public void SetGsiRouting(ReadOnlySpan<kvm_irq_routing_entry> entries)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            IrqRoute[] routes = ChipState.Routes(entries);
            if (Router is not { } router || !router.TrySetRoutes(routes))
            {
                throw new KvmException(Errno.EINVAL, "interrupt routing");
            }
        }
    }

    /// <summary>KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS: drives a GSI. Any thread. [KVM 4.25]</summary>
    /// <returns>Processors that took it; 0: coalesced with one before; -1: masked, or routed nowhere.</returns>
    /// <exception cref="KvmException">ENXIO: the interrupt controllers are the client's.</exception>
    public int IrqLine(uint gsi, bool level)
    {
        IrqRouter router = Router ?? throw new KvmException(Errno.ENXIO, "there is no interrupt controller of KVM's");
        return gsi < IrqRouter.MaxGsis ? router.SetLine((int)gsi, IrqSource.User, level) : -1;
    }

    /// <summary>KVM_SIGNAL_MSI. Any thread. [KVM 4.70]</summary>
    /// <returns>True if a processor took it; false: it was coalesced, or addresses nobody.</returns>
    /// <exception cref="KvmException">EINVAL: the local APICs are the client's, or flags.</exception>
    public bool SignalMsi(in kvm_msi msi)
    {
        if (ApicBus is not { } bus || msi.flags != 0)
        {
            throw new KvmException(Errno.EINVAL, "no local APICs of KVM's, or flags of kvm_msi");
        }

        return bus.Send(new MsiMessage(msi.address_lo, msi.address_hi, msi.data)) > 0;
    }

    private void CreateSplitIrqchip(int ioapicRoutes)
    {
        CheckNoIrqchip();
        ApicBus = new ApicBus();
        _splitRouter = new IrqRouter(ApicBus);
        ApicBus.AddListener(new SplitEoiListener(this, _splitRouter, ioapicRoutes));
    }

    private void CheckNoIrqchip()
    {
        ThrowIfDisposed();
        if (ApicBus is not null)
        {
            throw new KvmException(Errno.EEXIST, "irqchip");
        }

        if (_vcpus.Length != 0)
        {
            throw new KvmException(Errno.EINVAL, "the irqchip comes before the vCPUs");
        }
    }

    private Irqchip OwnIrqchip(Errno otherwise)
    {
        ThrowIfDisposed();
        return Irqchip ?? throw new KvmException(otherwise, "there is no irqchip of KVM's");
    }

    private Pit OwnPit() => OwnIrqchip(Errno.ENXIO).Pit ?? throw new KvmException(Errno.ENXIO, "there is no PIT");

    private void DisposeIrqchip()
    {
        _irqFds?.Dispose();
        IoEvents.Dispose();
        Irqchip?.Dispose();
        _ownTimers?.Dispose();
    }
}
