namespace Akvam.Devices;

/// <summary>All local APICs of a VM, and who listens to their EOIs: carries IPIs, MSIs and IOAPIC messages.</summary>
/// <remarks>Any thread may call anything. Both lists are replaced, never changed, so sending takes no lock.</remarks>
public sealed class ApicBus
{
    private readonly Lock _gate = new();
    private Lapic[] _lapics = [];
    private IEoiListener[] _listeners = [];

    /// <summary>
    /// MSI addresses carry destination bits 31:8 in their upper half, and exported register pages the whole x2APIC id instead of id &lt;&lt; 24
    /// (KVM_X2APIC_API_USE_32BIT_IDS).
    /// </summary>
    public bool Use32BitIds { get; set; }

    /// <summary>An MSI or IOAPIC destination of 0xFF is one x2APIC processor (KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK), not everybody.</summary>
    public bool DisableBroadcastQuirk { get; set; }

    public ReadOnlySpan<Lapic> Lapics => Volatile.Read(ref _lapics);

    public void AddListener(IEoiListener listener)
    {
        lock (_gate)
        {
            Volatile.Write(ref _listeners, [.. _listeners, listener]);
        }
    }

    public void RemoveListener(IEoiListener listener)
    {
        lock (_gate)
        {
            Volatile.Write(ref _listeners, Array.FindAll(_listeners, l => l != listener));
        }
    }

    /// <summary>Delivers a message to every APIC it addresses, or to one of them for lowest priority.</summary>
    /// <returns>-1 if it addresses none; otherwise how many took it, 0 meaning that it was pending already or refused.</returns>
    public int Send(in ApicMessage message)
    {
        if (message.IsLowestPriority)
        {
            return SendToLowest(message);
        }

        int taken = -1;
        foreach (Lapic lapic in Lapics)
        {
            if (lapic.IsEnabled && lapic.Matches(message))
            {
                taken = Math.Max(taken, 0) + Deliver(lapic, message);
            }
        }

        return taken;
    }

    /// <summary>Delivers a message signalled interrupt [SDM3 10.11].</summary>
    /// <returns>As <see cref="Send(in ApicMessage)"/>.</returns>
    public int Send(in MsiMessage msi) => Send(Decode(msi));

    /// <summary>The message an MSI write makes.</summary>
    public ApicMessage Decode(in MsiMessage msi) => new()
    {
        Destination = ((msi.AddressLow >> 12) & 0xFF) | (Use32BitIds ? msi.AddressHigh & 0xFFFF_FF00 : 0),
        Mode = (DeliveryMode)((msi.Data >> 8) & 7),
        Vector = (byte)msi.Data,
        Logical = (msi.AddressLow & 4) != 0,
        RedirectionHint = (msi.AddressLow & 8) != 0,
        LevelTriggered = (msi.Data & (1 << 15)) != 0,
        Assert = true,
        Wide = DisableBroadcastQuirk,
    };

    internal void Add(Lapic lapic)
    {
        lock (_gate)
        {
            Volatile.Write(ref _lapics, [.. _lapics, lapic]);
        }
    }

    internal void Remove(Lapic lapic)
    {
        lock (_gate)
        {
            Volatile.Write(ref _lapics, Array.FindAll(_lapics, l => l != lapic));
        }
    }

    /// <summary>The two broadcast shorthands.</summary>
    internal void SendToAll(in ApicMessage message, Lapic? except)
    {
        foreach (Lapic lapic in Lapics)
        {
            if (lapic != except && lapic.IsEnabled)
            {
                Deliver(lapic, message);
            }
        }
    }

    internal bool HasListener(byte vector)
    {
        foreach (IEoiListener listener in Volatile.Read(ref _listeners))
        {
            if (listener.HandlesVector(vector))
            {
                return true;
            }
        }

        return false;
    }

    internal void Eoi(Lapic source, byte vector, bool levelTriggered, bool broadcastSuppressed)
    {
        foreach (IEoiListener listener in Volatile.Read(ref _listeners))
        {
            if (listener.HandlesVector(vector))
            {
                listener.Eoi(source, vector, levelTriggered, broadcastSuppressed);
            }
        }
    }

    private static int Deliver(Lapic lapic, in ApicMessage message) =>
        lapic.Accept(message.Mode, message.Vector, message.Assert, message.LevelTriggered) ? 1 : 0;

    /// <summary>The receiver with the lowest arbitration priority wins; equals take turns [SDM3 10.6.2.4].</summary>
    private int SendToLowest(in ApicMessage message)
    {
        Lapic? best = null;
        int bestPriority = int.MaxValue;
        bool matched = false;
        foreach (Lapic lapic in Lapics)
        {
            if (!lapic.IsEnabled || !lapic.Matches(message))
            {
                continue;
            }

            matched = true;
            int priority = lapic.ArbitrationPriority;
            if (lapic.CanArbitrate
                && (priority < bestPriority || (priority == bestPriority && lapic.ArbitrationWins < best!.ArbitrationWins)))
            {
                best = lapic;
                bestPriority = priority;
            }
        }

        if (best is null)
        {
            return matched ? 0 : -1;
        }

        best.ArbitrationWins++;
        return Deliver(best, message);
    }
}
