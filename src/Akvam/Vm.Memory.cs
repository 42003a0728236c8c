using Akvam.Abi;

namespace Akvam;

/// <content>Guest memory. [KVM 4.35] [KVM 4.8] [KVM 4.117]</content>
/// <remarks>Valid because memory that the VM allocates is freed with the VM, and a client keeps its own mapped as long as the slot is there.</remarks>
public sealed unsafe partial class Vm
{
    private readonly MemoryRegions _regions;
    private readonly List<GuestMemory> _owned = [];

    /// <summary>KVM_SET_USER_MEMORY_REGION. The memory behind a slot stays mapped in this process as long as the slot is there.</summary>
    /// <exception cref="KvmException">EINVAL: alignment, range, slot number, flags, or a change that needs deletion first; EEXIST: slots would overlap.</exception>
    public void SetUserMemoryRegion(in kvm_userspace_memory_region region)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            _regions.Set(in region);
            CountFlushes();
        }
    }

    /// <summary>Allocates memory that the VM owns and frees; <see cref="MapMemory"/> makes it visible to the guest.</summary>
    /// <param name="size">Bytes, a multiple of 4096.</param>
    public GuestMemory AllocateMemory(ulong size)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            var memory = new GuestMemory(size);
            _owned.Add(memory);
            return memory;
        }
    }

    /// <summary>Maps memory of the VM at a guest-physical address.</summary>
    /// <param name="slot">Slot number; bits 31:16 are the address space, 1 being what processors in SMM see.</param>
    /// <param name="gpa">Guest-physical address.</param>
    /// <param name="memory">From <see cref="AllocateMemory"/>; several slots may show the same.</param>
    /// <param name="offset">Where in it to start.</param>
    /// <param name="size">Bytes, or 0 for all that follows <paramref name="offset"/>.</param>
    /// <param name="flags"><see cref="KvmMemory.KVM_MEM_READONLY"/>, <see cref="KvmMemory.KVM_MEM_LOG_DIRTY_PAGES"/>.</param>
    public void MapMemory(uint slot, ulong gpa, GuestMemory memory, ulong offset = 0, ulong size = 0, uint flags = 0)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, memory.Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, memory.Size - offset);
        SetUserMemoryRegion(new kvm_userspace_memory_region
        {
            slot = slot,
            flags = flags,
            guest_phys_addr = gpa,
            memory_size = size != 0 ? size : memory.Size - offset,
            userspace_addr = memory.HostAddress + offset,
        });
    }

    /// <summary>Gives the guest RAM at <paramref name="gpa"/>, in the next free slot.</summary>
    /// <param name="gpa">Guest-physical address.</param>
    /// <param name="size">Bytes, a multiple of 4096.</param>
    public GuestMemory AddMemory(ulong gpa, ulong size)
    {
        GuestMemory memory = AllocateMemory(size);
        MapMemory(_regions.FreeSlot(), gpa, memory);
        return memory;
    }

    /// <summary>Reads guest-physical memory, whatever slots it spans.</summary>
    /// <param name="gpa">Guest-physical address.</param>
    /// <param name="data">Where to.</param>
    /// <param name="space">Address space: 0, or 1 for what processors in SMM see.</param>
    /// <exception cref="KvmException">EFAULT: not all of it is memory.</exception>
    public void ReadMemory(ulong gpa, Span<byte> data, int space = 0)
    {
        lock (_gate)
        {
            CheckSpace(space);
            if (!Memory.Read(space, gpa, data))
            {
                throw new KvmException(Errno.EFAULT, $"no memory at {gpa:x}, {data.Length} bytes");
            }
        }
    }

    /// <summary>Writes guest-physical memory; the guest executes what it finds there at once, and dirty logs see it.</summary>
    /// <param name="gpa">Guest-physical address.</param>
    /// <param name="data">What.</param>
    /// <param name="space">Address space: 0, or 1 for what processors in SMM see.</param>
    /// <exception cref="KvmException">EFAULT: not all of it is writable memory.</exception>
    public void WriteMemory(ulong gpa, ReadOnlySpan<byte> data, int space = 0)
    {
        lock (_gate)
        {
            CheckSpace(space);
            if (!Memory.Write(space, gpa, data))
            {
                throw new KvmException(Errno.EFAULT, $"no writable memory at {gpa:x}, {data.Length} bytes");
            }
        }
    }

    /// <summary>
    /// A view of guest-physical memory that lies in one slot, valid until that slot goes away. Writing through it is what a device's DMA is: code that the guest has run
    /// there before is noticed at its next exit or interrupt, dirty logs do not see it.
    /// </summary>
    /// <exception cref="KvmException">EFAULT: not all of it is memory in one slot.</exception>
    public Span<byte> GetMemorySpan(ulong gpa, int length, int space = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        lock (_gate)
        {
            CheckSpace(space);
            Cpu.Memory.MemorySlot? slot = Memory.Find(space, gpa);
            return slot is not null && (ulong)length <= slot.Size - (gpa - slot.Gpa)
                ? new Span<byte>(slot.Host + (gpa - slot.Gpa), length)
                : throw new KvmException(Errno.EFAULT, $"no memory in one piece at {gpa:x}, {length} bytes");
        }
    }

    /// <summary>KVM_GET_DIRTY_LOG: one bit a page, in whole words.</summary>
    /// <exception cref="KvmException">ENOENT: no such slot, or it keeps no log; EINVAL: no such number; EFAULT: too few words.</exception>
    public void GetDirtyLog(uint slot, Span<ulong> bitmap)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            _regions.GetDirtyLog(slot, bitmap);
            CountFlushes();
        }
    }

    /// <summary>KVM_CLEAR_DIRTY_LOG: watches the pages again whose bit is set.</summary>
    /// <param name="slot">Slot number.</param>
    /// <param name="firstPage">A multiple of 64; the first bit of <paramref name="bitmap"/>.</param>
    /// <param name="pages">How many: a multiple of 64, or all to the end of the slot.</param>
    /// <param name="bitmap">One bit a page.</param>
    public void ClearDirtyLog(uint slot, ulong firstPage, uint pages, ReadOnlySpan<ulong> bitmap)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            _regions.ClearDirtyLog(slot, firstPage, pages, bitmap);
            CountFlushes();
        }
    }

    private void CheckSpace(int space)
    {
        ThrowIfDisposed();
        if (space is < 0 or >= Cpu.Memory.PhysicalMemory.Spaces)
        {
            throw new KvmException(Errno.EINVAL, $"no address space {space}");
        }
    }

    private void FreeMemory()
    {
        foreach (GuestMemory memory in _owned)
        {
            memory.Free();
        }
    }
}
