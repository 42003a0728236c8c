namespace Akvam.Cpu.Memory;

/// <content>The dirty logs of slots. Reading and clearing drop the processors' right to write without telling, so no write is missed.</content>
public sealed unsafe partial class PhysicalMemory
{
    /// <summary>Copies the bitmap of a slot that logs; with <paramref name="clear"/> the log starts again.</summary>
    public void CopyDirty(int space, int id, Span<ulong> bitmap, bool clear)
    {
        MemorySlot slot = Logging(space, id);
        if (!clear)
        {
            new ReadOnlySpan<ulong>(slot.Dirty, slot.DirtyWords).CopyTo(bitmap);
            return;
        }

        var copy = new ulong[slot.DirtyWords];
        _group.Exclusive(() =>
        {
            var words = new Span<ulong>(slot.Dirty, slot.DirtyWords);
            words.CopyTo(copy);
            words.Clear();
            ForgetWrites();
        });
        copy.CopyTo(bitmap);
    }

    /// <summary>Clears the bits that are set in <paramref name="bitmap"/>, whose first word is number <paramref name="firstWord"/> of the log.</summary>
    public void ClearDirty(int space, int id, int firstWord, ReadOnlySpan<ulong> bitmap)
    {
        MemorySlot slot = Logging(space, id);
        ulong[] copy = bitmap.ToArray();
        _group.Exclusive(() =>
        {
            for (int i = 0; i < copy.Length && firstWord + i < slot.DirtyWords; i++)
            {
                slot.Dirty[firstWord + i] &= ~copy[i];
            }

            ForgetWrites();
        });
    }

    /// <summary>Sets bits of a log.</summary>
    public void MarkDirty(int space, int id, ReadOnlySpan<ulong> bitmap)
    {
        MemorySlot slot = Logging(space, id);
        for (int i = 0; i < bitmap.Length && i < slot.DirtyWords; i++)
        {
            Interlocked.Or(ref slot.Dirty[i], bitmap[i]);
        }
    }

    /// <summary>Clears single pages, each given by address space, slot and number; what is not there, or keeps no log, is passed over.</summary>
    public void ClearDirty(IReadOnlyList<(int Space, int Id, ulong Page)> pages)
    {
        _group.Exclusive(() =>
        {
            MemorySlot? slot = null;
            foreach ((int space, int id, ulong page) in pages)
            {
                slot = slot?.Space == space && slot.Id == id ? slot : _numbered[space].GetValueOrDefault(id);
                if (slot is { LogsDirty: true } && page < slot.Size / 4096)
                {
                    slot.Dirty[page >> 6] &= ~(1ul << (int)(page & 63));
                }
            }

            ForgetWrites();
        });
    }

    /// <summary>How often all processors had to forget what they knew of memory.</summary>
    public ulong Flushes { get; private set; }

    private MemorySlot Logging(int space, int id)
    {
        MemorySlot? slot = _numbered[space].GetValueOrDefault(id);
        return slot is { LogsDirty: true } ? slot : throw new InvalidOperationException($"slot {id} of address space {space} keeps no dirty log");
    }

    private void ForgetWrites()
    {
        Flushes++;
        foreach (Processor p in _group.Processors)
        {
            p.ForgetWrites();
        }
    }

    private void ForgetTranslations()
    {
        Flushes++;
        foreach (Processor p in _group.Processors)
        {
            p.ForgetTranslations();
        }
    }
}
