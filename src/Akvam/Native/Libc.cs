using System.Runtime.InteropServices;

namespace Akvam.Native;

/// <summary>The few calls of the C library that .NET has no counterpart for: guest RAM and waits that any thread, or a signal handler, can end.</summary>
/// <remarks>Valid because every pointer passed is to memory that outlives the call.</remarks>
internal static unsafe partial class Libc
{
    public const int PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4;
    public const int MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000;
    public const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;
    public const int MADV_HUGEPAGE = 14;
    public const int MS_ASYNC = 1;
    public const int F_DUPFD_CLOEXEC = 1030;
    public const int RWF_NOWAIT = 8;
    public const int EINTR = 4;
    public const int PR_GET_TSC = 25, PR_TSC_ENABLE = 1;
    public const int CLOCK_MONOTONIC_RAW = 4;
    public const short POLLIN = 1;
    public static readonly void* MapFailed = (void*)-1;

    [LibraryImport("libc", SetLastError = true)]
    public static partial void* mmap(void* address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munmap(void* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int msync(void* address, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int eventfd(uint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(int file, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int file, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ppoll(PollFd* files, ulong count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int file, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint preadv2(int file, IoVector* vectors, int count, long offset, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint getrandom(void* buffer, nuint count, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int prctl(int option, nint argument2, nint argument3, nint argument4, nint argument5);

    [LibraryImport("libc"), SuppressGCTransition]
    public static partial int clock_gettime(int clock, TimeSpec* time);

    [LibraryImport("libc")]
    public static partial int close(int file);

    /// <summary>struct iovec.</summary>
    public struct IoVector
    {
        public void* Base;
        public nuint Length;
    }

    /// <summary>struct pollfd.</summary>
    public struct PollFd
    {
        public int File;
        public short Events;
        public short Returned;
    }

    /// <summary>struct timespec.</summary>
    public struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
