using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam;

/// <summary>The 12288 bytes that a client and its vCPU share: <see cref="kvm_run"/>, the data of port exits, the ring of coalesced writes. [KVM 5]</summary>
/// <remarks>
/// Valid because the memory is either a pinned array, which lives as long as anything refers into it (an exit that a client still looks at, too), or the
/// client's own mapping, which it keeps as long as the vCPU, as with the real KVM.
/// </remarks>
internal sealed unsafe class RunPage
{
    public const int Size = 3 * PageSize;
    private const int PageSize = 4096;

    private readonly byte[]? _array;

    /// <param name="mapping">Page-aligned memory, or 0 to allocate it.</param>
    /// <param name="size">Its bytes: <see cref="Size"/>, or all to the end of the dirty ring.</param>
    public RunPage(nint mapping, int size = Size)
    {
        if (mapping == 0)
        {
            _array = GC.AllocateArray<byte>(size + PageSize, pinned: true);
            nint start = (nint)Marshal.UnsafeAddrOfPinnedArrayElement(_array, 0);
            mapping = (start + PageSize - 1) & ~(PageSize - 1);
        }

        Address = (byte*)mapping;
    }

    public byte* Address { get; }

    public kvm_run* Run => (kvm_run*)Address;

    public byte* PioData => Address + (KvmApi.KVM_PIO_PAGE_OFFSET * PageSize);

    public byte* CoalescedRing => Address + (KvmApi.KVM_COALESCED_MMIO_PAGE_OFFSET * PageSize);

    public const int PioDataOffset = (int)KvmApi.KVM_PIO_PAGE_OFFSET * PageSize;

    public const int DirtyRingOffset = (int)KvmApi.KVM_DIRTY_LOG_PAGE_OFFSET * PageSize;

    public const int PioDataSize = PageSize;
}
