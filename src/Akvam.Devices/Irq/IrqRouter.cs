namespace Akvam.Devices;

/// <summary>From GSIs, the interrupt numbers of the KVM API, to controller pins and messages.</summary>
/// <remarks>
/// Any thread may call. The table and the notifier lists are replaced, never changed, so raising a line takes no lock here. Notifiers run on
/// the thread that caused them, with no lock held, and may drive lines.
/// </remarks>
public sealed class IrqRouter : IPinObserver
{
    public const int MaxGsis = 4096;

    private readonly Lock _gate = new();
    private readonly ApicBus _bus;
    private readonly Pic? _pic;
    private readonly Ioapic? _ioapic;

    private RoutingTable _table = RoutingTable.Empty;
    private Notifier[] _notifiers = [];
    private ulong _sourcesInUse = (1UL << IrqSource.FirstFree) - 1;

    /// <summary>Routes to the given controllers; without them (a split irqchip) only to messages.</summary>
    public IrqRouter(ApicBus bus, Pic? pic = null, Ioapic? ioapic = null)
    {
        _bus = bus;
        _pic = pic;
        _ioapic = ioapic;
        pic?.Observe(this);
        ioapic?.Observe(this);
    }

    /// <summary>A new table is in force; who keeps a copy of a route reads it again. Raised on the thread that set it.</summary>
    public event Action? RoutesChanged;

    /// <summary>Replaces the routing table.</summary>
    /// <returns>False (EINVAL), nothing changed: a GSI or pin out of range, a controller that is not there, a GSI on one controller twice, a reserved bit of a message.</returns>
    public bool TrySetRoutes(ReadOnlySpan<IrqRoute> routes)
    {
        foreach (IrqRoute route in routes)
        {
            bool missing = !route.IsMsi && (route.Chip == IrqChipId.KVM_IRQCHIP_IOAPIC ? _ioapic is null : _pic is null);

            // With 32-bit ids the low byte of the upper address is reserved [KVM 4.52].
            bool reserved = route.IsMsi && _bus.Use32BitIds && (route.Msi.AddressHigh & 0xFF) != 0;
            if (missing || reserved)
            {
                return false;
            }
        }

        RoutingTable? table = RoutingTable.TryBuild(routes);
        if (table is null)
        {
            return false;
        }

        Volatile.Write(ref _table, table);
        RoutesChanged?.Invoke();
        return true;
    }

    /// <summary>Routes of one GSI now.</summary>
    public ReadOnlySpan<IrqRoute> RoutesOf(int gsi) => Volatile.Read(ref _table).RoutesOf(gsi);

    /// <summary>One source's part in the level of a GSI [KVM 4.25 KVM_IRQ_LINE].</summary>
    /// <param name="gsi">Any number; one without routes is ignored.</param>
    /// <param name="source">An <see cref="IrqSource"/> or one from <see cref="AllocateSource"/>.</param>
    /// <param name="level">The level this source wants. A message is sent for each true.</param>
    /// <returns>For KVM_IRQ_LINE_STATUS: deliveries, 0 if coalesced, -1 if ignored.</returns>
    public int SetLine(int gsi, int source, bool level)
    {
        int status = -1;
        foreach (ref readonly IrqRoute route in RoutesOf(gsi))
        {
            int taken = Drive(route, source, level);
            if (taken >= 0)
            {
                status = Math.Max(status, 0) + taken;
            }
        }

        return status;
    }

    /// <summary>Raises and lowers a GSI: an edge, or one message.</summary>
    /// <returns>Status of the rise.</returns>
    public int Pulse(int gsi, int source)
    {
        int status = SetLine(gsi, source, level: true);
        SetLine(gsi, source, level: false);
        return status;
    }

    /// <summary>A source id of its own for a device.</summary>
    /// <returns>-1 if all are taken.</returns>
    public int AllocateSource()
    {
        lock (_gate)
        {
            int source = System.Numerics.BitOperations.TrailingZeroCount(~_sourcesInUse);
            if (source == IrqSource.Count)
            {
                return -1;
            }

            _sourcesInUse |= 1UL << source;
            return source;
        }
    }

    /// <summary>Gives an allocated source id back and lowers every line it holds.</summary>
    public void FreeSource(int source)
    {
        if (source < IrqSource.FirstFree)
        {
            return;
        }

        for (int pin = 0; _pic is not null && pin < 16; pin++)
        {
            _pic.SetPin(pin, source, level: false);
        }

        for (int pin = 0; _ioapic is not null && pin < Ioapic.PinCount; pin++)
        {
            _ioapic.SetPin(pin, source, level: false);
        }

        lock (_gate)
        {
            _sourcesInUse &= ~(1UL << source);
        }
    }

    /// <summary>Calls back each time software finishes an interrupt of a GSI; what a resampling irqfd needs.</summary>
    /// <returns>Dispose to stop.</returns>
    public IDisposable AddAckNotifier(int gsi, Action onAck) => Add(new Notifier(this, gsi, onAck, null));

    /// <summary>Calls back each time software masks (true) or unmasks (false) a pin of a GSI.</summary>
    /// <returns>Dispose to stop.</returns>
    public IDisposable AddMaskNotifier(int gsi, Action<bool> onMask) => Add(new Notifier(this, gsi, null, onMask));

    /// <summary>True if a pin's EOI reaches some notifier.</summary>
    public bool HasAckNotifier(IrqChipId chip, int pin)
    {
        int gsi = Volatile.Read(ref _table).GsiOf(chip, pin);
        return gsi >= 0 && Array.Exists(Volatile.Read(ref _notifiers), n => n.Gsi == gsi && n.OnAck is not null);
    }

    void IPinObserver.Acknowledged(IrqChipId chip, int pin)
    {
        int gsi = Volatile.Read(ref _table).GsiOf(chip, pin);
        foreach (Notifier notifier in Volatile.Read(ref _notifiers))
        {
            if (notifier.Gsi == gsi)
            {
                notifier.OnAck?.Invoke();
            }
        }
    }

    void IPinObserver.MaskChanged(IrqChipId chip, int pin, bool masked)
    {
        int gsi = Volatile.Read(ref _table).GsiOf(chip, pin);
        foreach (Notifier notifier in Volatile.Read(ref _notifiers))
        {
            if (notifier.Gsi == gsi)
            {
                notifier.OnMask?.Invoke(masked);
            }
        }
    }

    private int Drive(in IrqRoute route, int source, bool level)
    {
        if (route.IsMsi)
        {
            return level ? _bus.Send(route.Msi) : -1;
        }

        return route.Chip switch
        {
            IrqChipId.KVM_IRQCHIP_IOAPIC => _ioapic!.SetPin(route.Pin, source, level),
            IrqChipId.KVM_IRQCHIP_PIC_SLAVE => _pic!.SetPin(8 + route.Pin, source, level),
            _ => _pic!.SetPin(route.Pin, source, level),
        };
    }

    private Notifier Add(Notifier notifier)
    {
        lock (_gate)
        {
            Volatile.Write(ref _notifiers, [.. _notifiers, notifier]);
        }

        return notifier;
    }

    private void Remove(Notifier notifier)
    {
        lock (_gate)
        {
            Volatile.Write(ref _notifiers, Array.FindAll(_notifiers, n => n != notifier));
        }
    }

    private sealed class Notifier(IrqRouter router, int gsi, Action? onAck, Action<bool>? onMask) : IDisposable
    {
        public int Gsi => gsi;

        public Action? OnAck => onAck;

        public Action<bool>? OnMask => onMask;

        public void Dispose() => router.Remove(this);
    }
}
