namespace Akvam.Cpu.Memory;

/// <summary>The guest-physical address spaces of a virtual machine: 0 is the ordinary one, 1 is what processors in SMM see.</summary>
/// <remarks>
/// Valid because slots change only through <see cref="ProcessorGroup.Exclusive"/>, with every processor parked and its TLB dropped; the sorted arrays are
/// replaced as a whole, so a reader sees either the old or the new one.
/// </remarks>
public sealed unsafe partial class PhysicalMemory : IDisposable
{
    public const int Spaces = 2;
    private readonly ProcessorGroup _group;
    private readonly MemorySlot[][] _slots = [[], []];

    internal PhysicalMemory(ProcessorGroup group) => _group = group;

    public CodeMap Code { get; } = new();

    /// <summary>Is told of dirty pages; null: nobody is.</summary>
    public IDirtySink? DirtySink { get; set; }

    /// <summary>The slots of an address space, sorted by guest address.</summary>
    public ReadOnlySpan<MemorySlot> Slots(int space) => Volatile.Read(ref _slots[space]);

    /// <summary>The slot that holds <paramref name="gpa"/>, or null.</summary>
    public MemorySlot? Find(int space, ulong gpa)
    {
        MemorySlot[] slots = Volatile.Read(ref _slots[space]);
        int low = 0, high = slots.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            MemorySlot slot = slots[middle];
            if (slot.Contains(gpa))
            {
                return slot;
            }

            if (gpa < slot.Gpa)
            {
                high = middle - 1;
            }
            else
            {
                low = middle + 1;
            }
        }

        return null;
    }

    /// <summary>
    /// Adds, replaces (same <paramref name="id"/>) or removes (<paramref name="size"/> 0) a slot. The caller has checked alignment and overlap.
    /// </summary>
    public void SetSlot(int space, int id, ulong gpa, ulong size, byte* host, bool readOnly, bool logDirty)
    {
        _group.Exclusive(() =>
        {
            MemorySlot[] old = _slots[space];
            MemorySlot? replaced = Array.Find(old, slot => slot.Id == id);
            MemorySlot? added = size != 0 ? new MemorySlot(space, id, gpa, size, host, readOnly, logDirty, this) : null;
            Volatile.Write(ref _slots[space], Change(old, replaced, added));
            ForgetTranslations();
            replaced?.Dispose();
        });
    }

    /// <summary>Clients may have 32,764 slots, so nothing here is worse than linear.</summary>
    private static MemorySlot[] Change(MemorySlot[] old, MemorySlot? removed, MemorySlot? added)
    {
        var changed = new MemorySlot[old.Length - (removed != null ? 1 : 0) + (added != null ? 1 : 0)];
        int n = 0;
        foreach (MemorySlot slot in old)
        {
            if (added != null && slot.Gpa > added.Gpa)
            {
                changed[n++] = added;
                added = null;
            }

            if (slot != removed)
            {
                changed[n++] = slot;
            }
        }

        if (added != null)
        {
            changed[n] = added;
        }

        return changed;
    }

    /// <summary>Reads guest-physical memory; false when a part of it is not RAM.</summary>
    public bool Read(int space, ulong gpa, Span<byte> data)
    {
        while (!data.IsEmpty)
        {
            MemorySlot? slot = Find(space, gpa);
            if (slot == null)
            {
                return false;
            }

            int n = (int)Math.Min((ulong)data.Length, slot.Size - (gpa - slot.Gpa));
            new ReadOnlySpan<byte>(slot.Host + (gpa - slot.Gpa), n).CopyTo(data);
            data = data[n..];
            gpa += (ulong)n;
        }

        return true;
    }

    /// <summary>Writes guest-physical memory, as a device does: dirty pages are logged and decoded code notices. False when a part of it is not writable RAM.</summary>
    public bool Write(int space, ulong gpa, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            MemorySlot? slot = Find(space, gpa);
            if (slot == null || slot.ReadOnly)
            {
                return false;
            }

            byte* host = slot.Host + (gpa - slot.Gpa);
            int n = (int)Math.Min((ulong)data.Length, 4096 - (gpa & 4095));
            data[..n].CopyTo(new Span<byte>(host, n));
            Written(slot, gpa, host, n);
            data = data[n..];
            gpa += (ulong)n;
        }

        return true;
    }

    /// <summary>To be called after a write through another way than the TLB: logs the page and raises its version if it holds code.</summary>
    internal void Written(MemorySlot slot, ulong gpa, byte* host, int size)
    {
        slot.MarkDirty(gpa);
        uint* version = Code.VersionOf(host);
        if (Volatile.Read(ref *version) != 0)
        {
            CodeMap.Written(version, host, size);
        }
    }

    public void Dispose()
    {
        foreach (MemorySlot[] slots in _slots)
        {
            foreach (MemorySlot slot in slots)
            {
                slot.Dispose();
            }
        }

        Code.Dispose();
    }
}
