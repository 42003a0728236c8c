using Akvam.Abi;

namespace Akvam;

/// <summary>Writes of the guest that wait in a ring, for the client to look at when something else makes it. [KVM 4.116]</summary>
/// <remarks>
/// Any thread may call. KVM has one ring, which it shows in the mapping of every vCPU. Who maps those gives us that ring; otherwise it is the one of the first vCPU.
/// Valid because a vCPU takes its page away before that page goes, and a ring of its own stays as long as the VM.
/// </remarks>
internal sealed unsafe class CoalescedWrites
{
    /// <summary>NR_IOBUS_DEVS.</summary>
    private const int MostZones = 1000;

    private static readonly uint s_entries = (uint)((4096 - sizeof(kvm_coalesced_mmio_ring)) / sizeof(kvm_coalesced_mmio));

    private readonly Lock _gate = new();
    private readonly List<RunPage> _pages = [];
    private kvm_coalesced_mmio_zone[] _zones = [];
    private byte* _ring;

    public void SetRing(nint ring)
    {
        lock (_gate)
        {
            _ring = (byte*)ring;
        }
    }

    public bool HasZones => Volatile.Read(ref _zones).Length != 0;

    public void Attach(RunPage page)
    {
        lock (_gate)
        {
            _pages.Add(page);
        }
    }

    public void Detach(RunPage page)
    {
        lock (_gate)
        {
            _pages.Remove(page);
        }
    }

    /// <exception cref="KvmException">EINVAL: neither memory nor ports; ENOSPC: too many.</exception>
    public void Register(in kvm_coalesced_mmio_zone zone)
    {
        Check(in zone);
        lock (_gate)
        {
            if (_zones.Length == MostZones)
            {
                throw new KvmException(Errno.ENOSPC, $"{MostZones} zones");
            }

            Volatile.Write(ref _zones, [.. _zones, zone]);
        }
    }

    /// <summary>Every zone that holds the given one goes; it is no error if there is none.</summary>
    /// <exception cref="KvmException">EINVAL: neither memory nor ports.</exception>
    public void Unregister(in kvm_coalesced_mmio_zone zone)
    {
        Check(in zone);
        (ulong address, uint size, uint pio) = (zone.addr, zone.size, zone.pio);
        lock (_gate)
        {
            Volatile.Write(ref _zones, Array.FindAll(_zones, z => z.pio != pio || !Holds(in z, address, size)));
        }
    }

    /// <summary>True: the write waits in the ring. False: it belongs to no zone, or the ring is full, which is an exit.</summary>
    public bool Write(bool port, ulong address, ReadOnlySpan<byte> data)
    {
        kvm_coalesced_mmio_zone[] zones = Volatile.Read(ref _zones);
        for (int i = 0; i < zones.Length; i++)
        {
            if (zones[i].pio == (port ? 1u : 0) && Holds(in zones[i], address, (uint)data.Length))
            {
                return Append(port, address, data);
            }
        }

        return false;
    }

    private static bool Holds(in kvm_coalesced_mmio_zone zone, ulong address, uint size) =>
        address >= zone.addr && address + size >= address && address + size <= zone.addr + zone.size;

    private static void Check(in kvm_coalesced_mmio_zone zone)
    {
        if (zone.pio > 1)
        {
            throw new KvmException(Errno.EINVAL, $"pio = {zone.pio} of kvm_coalesced_mmio_zone");
        }
    }

    private bool Append(bool port, ulong address, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            byte* memory = _ring != null ? _ring : _pages.Count != 0 ? _pages[0].CoalescedRing : null;
            if (memory == null)
            {
                return false;
            }

            var ring = (kvm_coalesced_mmio_ring*)memory;
            uint last = ring->last;
            uint next = (last + 1) % s_entries;
            if (last >= s_entries || next == Volatile.Read(ref ring->first))
            {
                return false;
            }

            kvm_coalesced_mmio* entry = (kvm_coalesced_mmio*)(ring + 1) + last;
            entry->phys_addr = address;
            entry->len = (uint)data.Length;
            entry->pio = port ? 1u : 0;
            data.CopyTo(entry->data);

            // The client may look at any time: the entry is complete before it is counted.
            Volatile.Write(ref ring->last, next);
            return true;
        }
    }
}
