namespace Akvam.Devices;

/// <summary>The interrupt controllers of a PC wired together, as KVM_CREATE_IRQCHIP makes them: 8259 pair, IOAPIC and routing, on an <see cref="ApicBus"/>.</summary>
/// <remarks>Any thread may call, except where a member says the vCPU's.</remarks>
public sealed class Irqchip : IIntrSink, ITickSink, IDisposable
{
    private const int TimerGsi = 0;

    private Pit? _pit;
    private IDisposable? _pitAck;
    private IDisposable? _pitMask;

    /// <summary>Makes the controllers with KVM's default routing.</summary>
    public Irqchip(ApicBus bus, IrqchipOptions? options = null)
    {
        options ??= IrqchipOptions.Default;
        Bus = bus;
        Pic = new Pic(this);
        Ioapic = new Ioapic(bus, options.IoapicVersion);
        Router = new IrqRouter(bus, Pic, Ioapic);
        Router.TrySetRoutes(IrqRoutes.KvmDefault());
    }

    public ApicBus Bus { get; }

    public Pic Pic { get; }

    public Ioapic Ioapic { get; }

    public IrqRouter Router { get; }

    /// <summary>The timer, once <see cref="CreatePit"/> has made it.</summary>
    public Pit? Pit => Volatile.Read(ref _pit);

    /// <summary>Adds the 8254, on GSI 0 (KVM_CREATE_PIT2).</summary>
    /// <returns>Null (EEXIST) if there is one already.</returns>
    public Pit? CreatePit(IClock clock, ITimerHost timers, bool hasSpeakerPort)
    {
        var pit = new Pit(clock, timers, this, hasSpeakerPort);
        if (Interlocked.CompareExchange(ref _pit, pit, null) is not null)
        {
            pit.Dispose();
            return null;
        }

        _pitAck = Router.AddAckNotifier(TimerGsi, pit.Acknowledge);
        _pitMask = Router.AddMaskNotifier(TimerGsi, masked =>
        {
            if (!masked)
            {
                pit.Unmasked();
            }
        });
        return pit;
    }

    public void Dispose()
    {
        _pitAck?.Dispose();
        _pitMask?.Dispose();
        _pit?.Dispose();
        Bus.RemoveListener(Ioapic);
    }

    /// <summary>The 8259 pair has an interrupt for this processor: INTR through an open LINT0, or an ExtINT message. No lock.</summary>
    public bool HasExtInt(Lapic lapic) => lapic.HasExtIntMessage || (Pic.Output && lapic.AcceptsPicInterrupt);

    /// <summary>Anything maskable is deliverable to this processor. No lock.</summary>
    public bool HasInterrupt(Lapic lapic) => HasExtInt(lapic) || lapic.HasInterrupt;

    /// <summary>The interrupt acknowledge cycle, the 8259 pair before the local APIC as in KVM. The vCPU's thread only.</summary>
    /// <returns>The vector to deliver, or -1 if there is nothing.</returns>
    public int AcknowledgeInterrupt(Lapic lapic)
    {
        if (HasExtInt(lapic))
        {
            lapic.TakeExtIntMessage();
            return Pic.Acknowledge();
        }

        return lapic.AcknowledgeInterrupt();
    }

    /// <summary>A device here owns the port.</summary>
    public bool OwnsPort(ushort port) => (Pit is Pit pit && pit.OwnsPort(port)) || Devices.Pic.OwnsPort(port);

    /// <summary>A guest IN of one to four bytes.</summary>
    /// <returns>False if no device here owns the port. Of a wide access the first byte counts and the rest reads zero.</returns>
    public bool TryReadPort(ushort port, Span<byte> data)
    {
        byte value;
        if (Pit is Pit pit && pit.OwnsPort(port))
        {
            value = pit.ReadPort(port);
        }
        else if (Devices.Pic.OwnsPort(port))
        {
            value = Pic.ReadPort(port);
        }
        else
        {
            return false;
        }

        data.Clear();
        data[0] = value;
        return true;
    }

    /// <summary>A guest OUT of one to four bytes.</summary>
    /// <returns>False if no device here owns the port. Of a wide access the first byte counts.</returns>
    public bool TryWritePort(ushort port, ReadOnlySpan<byte> data)
    {
        if (Pit is Pit pit && pit.OwnsPort(port))
        {
            pit.WritePort(port, data[0]);
            return true;
        }

        if (Devices.Pic.OwnsPort(port))
        {
            Pic.WritePort(port, data[0]);
            return true;
        }

        return false;
    }

    /// <summary>A guest read of physical memory. False if it is not the IOAPIC's window.</summary>
    public bool TryReadMmio(ulong gpa, Span<byte> data)
    {
        if (!Ioapic.Contains(gpa))
        {
            return false;
        }

        Ioapic.ReadMmio((int)(gpa - Ioapic.BaseAddress), data);
        return true;
    }

    /// <summary>A guest write of physical memory. False if it is not the IOAPIC's window.</summary>
    public bool TryWriteMmio(ulong gpa, ReadOnlySpan<byte> data)
    {
        if (!Ioapic.Contains(gpa))
        {
            return false;
        }

        Ioapic.WriteMmio((int)(gpa - Ioapic.BaseAddress), data);
        return true;
    }

    void IIntrSink.IntrChanged(bool asserted)
    {
        if (!asserted)
        {
            return;
        }

        foreach (Lapic lapic in Bus.Lapics)
        {
            if (lapic.AcceptsPicInterrupt)
            {
                lapic.Host.ExtInt();
            }
        }
    }

    void ITickSink.Tick()
    {
        Router.Pulse(TimerGsi, IrqSource.Pit);

        // A guest's NMI watchdog without performance counters: the timer reaches LINT0 in NMI mode past the 8259.
        foreach (Lapic lapic in Bus.Lapics)
        {
            lapic.DeliverTimerNmi();
        }
    }
}
