using System.Runtime.InteropServices;

namespace Akvam.KvmTests;

/// <summary>An eventfd as a client has one.</summary>
internal sealed partial class HostEvent : IDisposable
{
    private const int NonBlocking = 0x800;

    public HostEvent(bool blocking = false)
    {
        File = eventfd(0, blocking ? 0 : NonBlocking);
        Assert.True(File >= 0);
    }

    public int File { get; }

    public void Signal()
    {
        ulong one = 1;
        Assert.Equal(sizeof(ulong), write(File, in one, sizeof(ulong)));
    }

    /// <summary>What was added since the last time; 0: nothing.</summary>
    public ulong Take() => read(File, out ulong count, sizeof(ulong)) == sizeof(ulong) ? count : 0;

    public void Dispose() => Assert.Equal(0, close(File));

    [LibraryImport("libc")]
    private static partial int eventfd(uint count, int flags);

    [LibraryImport("libc")]
    private static partial nint read(int file, out ulong value, nuint count);

    [LibraryImport("libc")]
    private static partial nint write(int file, in ulong value, nuint count);

    [LibraryImport("libc")]
    private static partial int close(int file);
}
