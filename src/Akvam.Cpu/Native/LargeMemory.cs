namespace Akvam.Cpu.Native;

/// <summary>
/// Memory that is reserved as a whole and costs what is touched of it: its first part in ordinary pages, so that a processor that does little stays small, the rest in
/// huge ones where the host has them, so that much is touched with few faults.
/// </summary>
/// <remarks>Valid because the caller frees what it got, with the size that it asked for.</remarks>
internal static unsafe class LargeMemory
{
    public const nuint HugePage = 2 << 20;

    /// <summary>Zeroed memory, private to the process; null: there is none, or none of such protection.</summary>
    public static byte* TryAllocate(nuint size, int protection)
    {
        // Where the kernel puts it need not be where huge pages begin: with one more, what does not is cut off.
        void* p = Libc.mmap(null, size + HugePage, protection, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if ((nint)p == -1)
        {
            return null;
        }

        byte* start = (byte*)p, aligned = (byte*)(((nuint)p + HugePage - 1) & ~(HugePage - 1));
        Unmap(start, (nuint)(aligned - start));
        Unmap(aligned + size, (nuint)(start + HugePage - aligned));
        if (size > HugePage)
        {
            // The host may refuse: then all pages are ordinary ones.
            _ = Libc.madvise(aligned + HugePage, size - HugePage, Libc.MADV_HUGEPAGE);
        }

        return aligned;
    }

    public static byte* Allocate(nuint size)
    {
        byte* p = TryAllocate(size, Libc.PROT_READ | Libc.PROT_WRITE);
        return p != null ? p : throw new OutOfMemoryException();
    }

    public static void Free(byte* address, nuint size) => Unmap(address, size);

    private static void Unmap(byte* address, nuint size)
    {
        if (size != 0)
        {
            _ = Libc.munmap(address, size);
        }
    }
}
