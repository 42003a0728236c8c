using System.Diagnostics;

namespace Akvam.Devices;

/// <summary>The 82093AA I/O APIC: 24 pins to interrupt messages.</summary>
/// <remarks>
/// Any thread may call. One lock guards the table; messages are sent under it, observers are called outside it. As in KVM a pin's level is its logical state and the
/// polarity bit is only stored: lines of a virtual machine are never inverted on the way.
/// </remarks>
public sealed partial class Ioapic : IEoiListener
{
    public const int PinCount = 24;
    public const ulong DefaultBase = 0xFEC0_0000;
    public const int WindowSize = 0x100;

    /// <summary>Version without, and first version with, an EOI register.</summary>
    public const byte Version82093AA = 0x11;
    public const byte VersionWithEoi = 0x20;

    private const uint AllPins = (1u << PinCount) - 1;

    private readonly Lock _gate = new();
    private readonly ApicBus _bus;
    private readonly byte _version;
    private readonly ulong[] _table = new ulong[PinCount];
    private readonly ulong[] _sources = new ulong[PinCount];
    private readonly uint[] _handled = new uint[8];

    private IPinObserver? _observer;
    private ulong _base = DefaultBase;
    private uint _select;
    private uint _id;

    /// <summary>Pins whose line is high.</summary>
    private uint _irr;

    /// <summary>Edge-triggered pins of those whose interrupt has been sent; the rest is still to be delivered after a restore.</summary>
    private uint _sent;

    public Ioapic(ApicBus bus, byte version = Version82093AA)
    {
        _bus = bus;
        _version = version;
        Reset();
        bus.AddListener(this);
    }

    /// <summary>Address of the register window.</summary>
    public ulong BaseAddress
    {
        get => Volatile.Read(ref _base);
        set => Volatile.Write(ref _base, value);
    }

    internal void Observe(IPinObserver observer) => _observer = observer;

    public void Reset()
    {
        lock (_gate)
        {
            Array.Fill(_table, RedirectionEntry.Masked);
            Array.Clear(_sources);
            BaseAddress = DefaultBase;
            _select = 0;
            _id = 0;
            _irr = 0;
            _sent = 0;
            UpdateHandled();
        }
    }

    /// <summary>One source's part in the level of a pin; the line is high while any source holds it.</summary>
    /// <returns>How many processors took the interrupt; 0 if it was coalesced with one before, -1 if masked or addressed to nobody.</returns>
    public int SetPin(int pin, int source, bool level)
    {
        Debug.Assert((uint)pin < PinCount && (uint)source < IrqSource.Count);
        lock (_gate)
        {
            ulong bit = 1UL << source;
            _sources[pin] = level ? _sources[pin] | bit : _sources[pin] & ~bit;
            return SetLine(pin, _sources[pin] != 0);
        }
    }

    public bool HandlesVector(byte vector) => ((Volatile.Read(ref _handled[vector >> 5]) >> (vector & 31)) & 1) != 0;

    public void Eoi(Lapic source, byte vector, bool levelTriggered, bool broadcastSuppressed)
    {
        // An edge-triggered pin is done with the processor's EOI; a level-triggered one when the message reaches the IOAPIC.
        Finish(vector, edges: true, levels: levelTriggered && !broadcastSuppressed);
    }

    private void Finish(byte vector, bool edges, bool levels)
    {
        uint pins = 0;
        lock (_gate)
        {
            for (int pin = 0; pin < PinCount; pin++)
            {
                var entry = new RedirectionEntry(_table[pin]);
                if (entry.Vector == vector && (entry.IsLevel ? levels : edges))
                {
                    pins |= 1u << pin;
                }
            }
        }

        if (pins == 0)
        {
            return;
        }

        // Observers first: a resampler lowers its line here, and a line that stays high delivers again below.
        IPinObserver? observer = _observer;
        for (int pin = 0; observer is not null && pin < PinCount; pin++)
        {
            if ((pins & (1u << pin)) != 0)
            {
                observer.Acknowledged(IrqChipId.KVM_IRQCHIP_IOAPIC, pin);
            }
        }

        lock (_gate)
        {
            for (int pin = 0; levels && pin < PinCount; pin++)
            {
                var entry = new RedirectionEntry(_table[pin]);
                if ((pins & (1u << pin)) != 0 && entry.IsLevel && entry.Vector == vector)
                {
                    _table[pin] &= ~RedirectionEntry.RemoteIrr;
                    if ((_irr & (1u << pin)) != 0)
                    {
                        Service(pin);
                    }
                }
            }
        }
    }

    private int SetLine(int pin, bool level)
    {
        uint bit = 1u << pin;
        if (!level)
        {
            _irr &= ~bit;
            return 1;
        }

        bool rose = (_irr & bit) == 0;
        _irr |= bit;
        if (!new RedirectionEntry(_table[pin]).IsLevel)
        {
            _sent &= ~bit;
            if (!rose)
            {
                return 0;
            }
        }

        return Service(pin);
    }

    /// <summary>Sends a pin's message unless it is masked or, for a level, still in service. Edges on a masked pin are lost [82093AA 3.2.4].</summary>
    private int Service(int pin)
    {
        var entry = new RedirectionEntry(_table[pin]);
        if (entry.IsMasked || (entry.IsLevel && entry.HasRemoteIrr))
        {
            return -1;
        }

        if (!entry.IsLevel)
        {
            _sent |= 1u << pin;
        }

        ApicMessage message = entry.ToMessage(_bus.DisableBroadcastQuirk);
        int taken = _bus.Send(message);
        if (entry.IsLevel && taken > 0 && message.Mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority)
        {
            _table[pin] |= RedirectionEntry.RemoteIrr;
        }

        return taken;
    }

    private void UpdateHandled()
    {
        Span<uint> handled = stackalloc uint[8];
        handled.Clear();
        foreach (ulong value in _table)
        {
            byte vector = (byte)value;
            handled[vector >> 5] |= 1u << (vector & 31);
        }

        for (int i = 0; i < handled.Length; i++)
        {
            Volatile.Write(ref _handled[i], handled[i]);
        }
    }
}
