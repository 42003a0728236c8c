using Akvam.Abi;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Memory;
using Akvam.Native;

namespace Akvam;

/// <summary>The memory slots of a VM as its client set them, and the rules of KVM_SET_USER_MEMORY_REGION. [KVM 4.35]</summary>
/// <remarks>Valid because <see cref="PhysicalMemory"/> changes slots with every processor parked only, and the client keeps its memory mapped, as with the real KVM.</remarks>
internal sealed unsafe class MemoryRegions(PhysicalMemory memory)
{
    /// <summary>Slot numbers below this are the client's; the kernel keeps three for itself.</summary>
    public const int UserSlots = 32764;

    private const ulong PageMask = 4095;
    private const int AddressBits = 47;
    private const uint KnownFlags = KvmMemory.KVM_MEM_LOG_DIRTY_PAGES | KvmMemory.KVM_MEM_READONLY;

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, kvm_userspace_memory_region> _regions = [];

    /// <summary>KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: reading the log does not clear it.</summary>
    public bool ManualProtect { get; set; }

    /// <summary>KVM_DIRTY_LOG_INITIALLY_SET: a log starts with every page dirty.</summary>
    public bool InitiallySet { get; set; }

    /// <summary>Dirty pages go to rings, and bitmaps cannot be read.</summary>
    public bool HasRings { get; set; }

    /// <summary>The lowest number that no slot of address space 0 has.</summary>
    public uint FreeSlot()
    {
        lock (_gate)
        {
            uint slot = 0;
            while (_regions.ContainsKey(slot))
            {
                slot++;
            }

            return slot;
        }
    }

    public void Set(in kvm_userspace_memory_region region)
    {
        lock (_gate)
        {
            Check(in region);
            bool exists = _regions.TryGetValue(region.slot, out kvm_userspace_memory_region old);
            if (region.memory_size == 0)
            {
                if (!exists)
                {
                    throw new KvmException(Errno.EINVAL, $"there is no slot {region.slot} to delete");
                }

                _regions.Remove(region.slot);
                memory.SetSlot(Space(region.slot), Id(region.slot), 0, 0, null, readOnly: false, logDirty: false);
                return;
            }

            if (exists)
            {
                // A slot may move or change its logging; anything else is deletion and creation.
                if (region.userspace_addr != old.userspace_addr || region.memory_size != old.memory_size
                    || ((region.flags ^ old.flags) & KvmMemory.KVM_MEM_READONLY) != 0)
                {
                    throw new KvmException(Errno.EINVAL, $"slot {region.slot} has to be deleted first");
                }

                if (region.guest_phys_addr == old.guest_phys_addr && region.flags == old.flags)
                {
                    return;
                }
            }

            CheckOverlap(in region);
            _regions[region.slot] = region;
            Apply(in region, exists && (old.flags & region.flags & KvmMemory.KVM_MEM_LOG_DIRTY_PAGES) != 0);
        }
    }

    /// <summary>Copies the dirty bitmap of a slot; without manual protection the log starts again. [KVM 4.8]</summary>
    public void GetDirtyLog(uint slot, Span<ulong> bitmap)
    {
        lock (_gate)
        {
            CheckNoRings();
            CheckSlot(slot);
            int words = DirtyWords(slot);
            if (bitmap.Length < words)
            {
                throw new KvmException(Errno.EFAULT, $"the bitmap of slot {slot} has {words} words");
            }

            memory.CopyDirty(Space(slot), Id(slot), bitmap[..words], clear: !ManualProtect);
        }
    }

    /// <summary>Watches pages again whose bit is set in <paramref name="bitmap"/>, which starts at <paramref name="firstPage"/>. [KVM 4.117]</summary>
    public void ClearDirtyLog(uint slot, ulong firstPage, uint pages, ReadOnlySpan<ulong> bitmap)
    {
        lock (_gate)
        {
            CheckNoRings();
            CheckSlot(slot);
            if ((firstPage & 63) != 0)
            {
                throw new KvmException(Errno.EINVAL, "the first page is not a multiple of 64");
            }

            DirtyWords(slot);
            ulong total = _regions[slot].memory_size / 4096;
            if (firstPage > total || pages > total - firstPage || (pages < total - firstPage && (pages & 63) != 0))
            {
                throw new KvmException(Errno.EINVAL, "pages outside the slot, or not whole words");
            }

            int words = (int)((pages + 63ul) / 64);
            if (bitmap.Length < words)
            {
                throw new KvmException(Errno.EFAULT, $"{pages} pages take {words} words");
            }

            memory.ClearDirty(Space(slot), Id(slot), (int)(firstPage / 64), bitmap[..words]);
        }
    }

    private void CheckNoRings()
    {
        if (HasRings)
        {
            throw new KvmException(Errno.ENXIO, "dirty pages are in rings");
        }
    }

    private static int Space(uint slot) => (int)(slot >> 16);

    private static int Id(uint slot) => (int)(slot & 0xFFFF);

    private static void CheckSlot(uint slot)
    {
        if (Space(slot) >= PhysicalMemory.Spaces || Id(slot) >= UserSlots)
        {
            throw new KvmException(Errno.EINVAL, $"no such slot number: {slot:x}");
        }
    }

    private static void Check(in kvm_userspace_memory_region region)
    {
        CheckSlot(region.slot);
        if ((region.flags & ~KnownFlags) != 0)
        {
            throw new KvmException(Errno.EINVAL, $"unknown memory flags {region.flags:x}");
        }

        if (((region.memory_size | region.guest_phys_addr | region.userspace_addr) & PageMask) != 0)
        {
            throw new KvmException(Errno.EINVAL, "size and addresses have to be multiples of 4096");
        }

        if (region.memory_size == 0)
        {
            return;
        }

        if (region.guest_phys_addr + region.memory_size < region.guest_phys_addr
            || region.guest_phys_addr + region.memory_size > 1ul << CpuidModel.PhysicalAddressBits)
        {
            throw new KvmException(Errno.EINVAL, "the region passes the end of the guest-physical address space");
        }

        if (region.userspace_addr + region.memory_size < region.userspace_addr
            || region.userspace_addr + region.memory_size > 1ul << AddressBits || region.userspace_addr == 0)
        {
            throw new KvmException(Errno.EINVAL, "not an address of this process");
        }

        // The kernel finds out when a guest touches the page; here that would end the process. This call looks for gaps, and does nothing else on Linux.
        if (Libc.msync((void*)region.userspace_addr, (nuint)region.memory_size, Libc.MS_ASYNC) != 0)
        {
            throw new KvmException(Errno.EFAULT, $"not all of {region.memory_size:x} bytes at {region.userspace_addr:x} is mapped");
        }
    }

    private void CheckOverlap(in kvm_userspace_memory_region region)
    {
        if (memory.Slots(Space(region.slot)).FindIn(region.guest_phys_addr, region.memory_size, but: Id(region.slot)) is { } slot)
        {
            throw new KvmException(Errno.EEXIST, $"slot {slot.Id} is in the way");
        }
    }

    private void Apply(in kvm_userspace_memory_region region, bool keepLog)
    {
        int space = Space(region.slot), id = Id(region.slot);
        bool log = (region.flags & KvmMemory.KVM_MEM_LOG_DIRTY_PAGES) != 0;
        ulong[]? kept = null;
        if (keepLog)
        {
            kept = new ulong[DirtyWords(region.slot)];
            memory.CopyDirty(space, id, kept, clear: false);
        }

        memory.SetSlot(
            space, id, region.guest_phys_addr, region.memory_size, (byte*)region.userspace_addr, (region.flags & KvmMemory.KVM_MEM_READONLY) != 0, log);
        if (log && !keepLog && InitiallySet && !HasRings)
        {
            kept = AllPages(region.memory_size / 4096);
        }

        if (kept is not null)
        {
            memory.MarkDirty(space, id, kept);
        }
    }

    private static ulong[] AllPages(ulong pages)
    {
        var words = new ulong[(pages + 63) / 64];
        Array.Fill(words, ulong.MaxValue);
        if ((pages & 63) != 0)
        {
            words[^1] = (1ul << (int)(pages & 63)) - 1;
        }

        return words;
    }

    /// <exception cref="KvmException">ENOENT: no such slot, or it keeps no log.</exception>
    private int DirtyWords(uint slot) =>
        _regions.TryGetValue(slot, out kvm_userspace_memory_region region) && (region.flags & KvmMemory.KVM_MEM_LOG_DIRTY_PAGES) != 0
            ? (int)((region.memory_size / 4096 + 63) / 64)
            : throw new KvmException(Errno.ENOENT, $"slot {slot} keeps no dirty log");
}
