namespace Akvam.Cpu.Memory;

/// <summary>The guest-physical address spaces of a virtual machine: 0 is the ordinary one, 1 is what processors in SMM see.</summary>
/// <remarks>
/// Valid because slots change only through <see cref="ProcessorGroup.Exclusive"/>, with every processor parked and its TLB dropped; the sorted tables are
/// replaced as a whole, so a reader sees either the old or the new one.
/// </remarks>
public sealed unsafe partial class PhysicalMemory : IDisposable
{
    public const int Spaces = 2;
    private readonly ProcessorGroup _group;
    private readonly SlotTable[] _slots = [SlotTable.Empty, SlotTable.Empty];

    /// <summary>The same by their numbers. The caller of whatever names a slot by its number sees to it that no other does so meanwhile.</summary>
    private readonly Dictionary<int, MemorySlot>[] _numbered = [[], []];

    internal PhysicalMemory(ProcessorGroup group) => _group = group;

    public CodeMap Code { get; } = new();

    /// <summary>Is told of dirty pages; null: nobody is.</summary>
    public IDirtySink? DirtySink { get; set; }

    /// <summary>The slots of an address space.</summary>
    public SlotTable Slots(int space) => Volatile.Read(ref _slots[space]);

    /// <summary>The slot that holds <paramref name="gpa"/>, or null.</summary>
    public MemorySlot? Find(int space, ulong gpa) => Volatile.Read(ref _slots[space]).Find(gpa);

    /// <summary>
    /// Adds, replaces (same <paramref name="id"/>) or removes (<paramref name="size"/> 0) a slot. The caller has checked alignment and overlap.
    /// </summary>
    public void SetSlot(int space, int id, ulong gpa, ulong size, byte* host, bool readOnly, bool logDirty)
    {
        _group.Exclusive(() =>
        {
            SlotTable slots = _slots[space];
            if (_numbered[space].Remove(id, out MemorySlot? replaced))
            {
                slots = slots.Without(replaced);
            }

            if (size != 0)
            {
                var added = new MemorySlot(space, id, gpa, size, host, readOnly, logDirty, this);
                _numbered[space].Add(id, added);
                slots = slots.With(added);
            }

            Volatile.Write(ref _slots[space], slots);
            ForgetTranslations();
            replaced?.Dispose();
        });
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
        foreach (Dictionary<int, MemorySlot> slots in _numbered)
        {
            foreach (MemorySlot slot in slots.Values)
            {
                slot.Dispose();
            }
        }

        Code.Dispose();
    }
}
