using Akvam.Abi;

namespace Akvam;

/// <summary>One vCPU's ring of dirty pages, which its client reads and gives back. [KVM 8.29]</summary>
/// <remarks>
/// Any thread may call. The client writes the entries too, so nothing but bounds depends on what they hold.
/// Valid because the ring lies behind the run page and stays as long as that.
/// </remarks>
internal sealed unsafe class DirtyRing(kvm_dirty_gfn* entries, uint count)
{
    /// <summary>KVM_DIRTY_RING_RSVD_ENTRIES: what a processor may still dirty before it leaves.</summary>
    public const uint Reserved = 64;

    /// <summary>KVM_DIRTY_RING_MAX_ENTRIES.</summary>
    public const uint MaxEntries = 65536;

    private readonly Lock _gate = new();
    private readonly Queue<(uint Slot, ulong Page)> _waiting = new();
    private uint _pushed, _reset;

    /// <summary>The vCPU has to leave, so that the client makes room.</summary>
    public bool IsSoftFull => Volatile.Read(ref _pushed) - Volatile.Read(ref _reset) >= count - Reserved;

    /// <param name="slot">Slot number with the address space in its upper half.</param>
    /// <param name="page">Page in the slot.</param>
    public void Push(uint slot, ulong page)
    {
        lock (_gate)
        {
            // One instruction may dirty more than the reserve.
            _waiting.Enqueue((slot, page));
            Fill();
        }
    }

    /// <summary>Takes back the entries that the client has read, in order.</summary>
    public void Reset(List<(int Space, int Id, ulong Page)> pages)
    {
        lock (_gate)
        {
            while (_reset != _pushed)
            {
                kvm_dirty_gfn* entry = entries + (_reset & (count - 1));
                if ((Volatile.Read(ref entry->flags) & KvmMemory.KVM_DIRTY_GFN_F_RESET) == 0)
                {
                    break;
                }

                (uint slot, ulong page) = (entry->slot, entry->offset);
                if (slot >> 16 < Cpu.Memory.PhysicalMemory.Spaces)
                {
                    pages.Add(((int)(slot >> 16), (int)(slot & 0xFFFF), page));
                }

                Volatile.Write(ref entry->flags, 0);
                Volatile.Write(ref _reset, _reset + 1);
            }

            Fill();
        }
    }

    private void Fill()
    {
        while (_pushed - _reset < count && _waiting.TryDequeue(out (uint Slot, ulong Page) next))
        {
            kvm_dirty_gfn* entry = entries + (_pushed & (count - 1));
            entry->slot = next.Slot;
            entry->offset = next.Page;

            // The client may look at any time: the entry is complete before it counts.
            Volatile.Write(ref entry->flags, KvmMemory.KVM_DIRTY_GFN_F_DIRTY);
            Volatile.Write(ref _pushed, _pushed + 1);
        }
    }
}
