using System.Runtime.InteropServices;

namespace Akvam.Native;

/// <summary>The few calls of the C library that .NET has no counterpart for: guest RAM and waits that any thread, or a signal handler, can end.</summary>
/// <remarks>Valid because every pointer passed is to memory that outlives the call.</remarks>
internal static unsafe partial class Libc
{
    public const int PROT_READ = 1, PROT_WRITE = 2;
    public const int MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000;
    public const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;
    public const short POLLIN = 1;
    public static readonly void* MapFailed = (void*)-1;

    [LibraryImport("libc", SetLastError = true)]
    public static partial void* mmap(void* address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munmap(void* address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int eventfd(uint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(int file, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int file, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ppoll(PollFd* files, ulong count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc")]
    public static partial int close(int file);

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
