using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Native;

namespace Akvam;

/// <summary>Anonymous host memory that a VM owns, to be mapped into its guest. Pages cost nothing until they are touched.</summary>
/// <remarks>Valid until its VM is disposed of: so are the spans it gives out. The VM unmaps it when no processor runs any more.</remarks>
public sealed unsafe class GuestMemory
{
    private const ulong HugePage = 2 << 20;

    private byte* _address;
    private readonly void* _mapping;

    internal GuestMemory(ulong size)
    {
        if (size == 0 || (size & 4095) != 0)
        {
            throw new KvmException(Errno.EINVAL, "memory comes in multiples of 4096 bytes");
        }

        void* mapping = size > long.MaxValue
            ? Libc.MapFailed
            : Libc.mmap(null, (nuint)(size + HugePage), Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (mapping == Libc.MapFailed)
        {
            throw new KvmException(Errno.ENOMEM, $"{size} bytes of guest memory");
        }

        _mapping = mapping;
        _address = (byte*)(((ulong)mapping + HugePage - 1) & ~(HugePage - 1));
        Size = size;

        // A guest that boots touches most of its memory: in pages of 4 KiB that is a fault of the host's for each. Where the host refuses, it stays at that.
        _ = Libc.madvise(_address, (nuint)(size & ~(HugePage - 1)), Libc.MADV_HUGEPAGE);
    }

    /// <summary>Bytes.</summary>
    public ulong Size { get; }

    /// <summary>Where it is in this process: a <see cref="kvm_userspace_memory_region.userspace_addr"/>.</summary>
    public ulong HostAddress => (ulong)_address;

    /// <summary>A view of <paramref name="length"/> bytes from <paramref name="offset"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not all of it is inside.</exception>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    public Span<byte> Span(ulong offset, int length)
    {
        ObjectDisposedException.ThrowIf(_address == null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)length, Size - offset);
        return MemoryMarshal.CreateSpan(ref _address[offset], length);
    }

    internal void Free()
    {
        if (_address != null)
        {
            Libc.munmap(_mapping, (nuint)(Size + HugePage));
            _address = null;
        }
    }
}
