using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.Native;

/// <summary>An eventfd: our own descriptor of one, so that the client may close its own at any time.</summary>
/// <remarks>Valid because the descriptor is closed only when nobody uses it: every use holds a reference to the handle.</remarks>
internal sealed unsafe class EventFd : SafeHandle
{
    private const string IdField = "eventfd-id:";

    private EventFd(int file, ulong id)
        : base(-1, ownsHandle: true)
    {
        SetHandle(file);
        Id = id;
    }

    public override bool IsInvalid => handle < 0;

    /// <summary>The same for all descriptors of one eventfd.</summary>
    public ulong Id { get; }

    /// <summary>For a caller that holds a reference.</summary>
    public int Number => (int)handle;

    /// <exception cref="KvmException">EMFILE, ENFILE, ENOMEM.</exception>
    public static EventFd Create()
    {
        int file = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        return file >= 0 ? new EventFd(file, 0) : throw new KvmException((Errno)Marshal.GetLastPInvokeError(), "eventfd");
    }

    /// <summary>A descriptor of ours for an eventfd of the client's.</summary>
    /// <exception cref="KvmException">EBADF: not open; EINVAL: not an eventfd.</exception>
    public static EventFd Share(int file)
    {
        int own = Libc.fcntl(file, Libc.F_DUPFD_CLOEXEC, 0);
        if (own < 0)
        {
            throw new KvmException((Errno)Marshal.GetLastPInvokeError(), $"file {file}");
        }

        var shared = new EventFd(own, Identify(own) ?? (uint)file);
        if (shared.Id == NotAnEventFd)
        {
            shared.Dispose();
            throw new KvmException(Errno.EINVAL, $"file {file} is not an eventfd");
        }

        return shared;
    }

    /// <summary>Adds 1. From any thread, also while another disposes of it.</summary>
    public void Signal()
    {
        if (TryHold())
        {
            ulong one = 1;
            Libc.write((int)handle, &one, sizeof(ulong));
            DangerousRelease();
        }
    }

    /// <summary>Takes what was added; false if somebody else did. For a caller that holds a reference.</summary>
    public bool Take()
    {
        // The client's eventfd may be a blocking one: its flags are the client's, so the read itself says that it does not wait.
        ulong count;
        var vector = new Libc.IoVector { Base = &count, Length = sizeof(ulong) };
        return Libc.preadv2((int)handle, &vector, 1, -1, Libc.RWF_NOWAIT) == sizeof(ulong);
    }

    /// <summary>A reference, to be given back with <see cref="SafeHandle.DangerousRelease"/>; false: it is disposed of.</summary>
    public bool TryHold()
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
        }
        catch (ObjectDisposedException)
        {
            return false;
        }

        return held;
    }

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;

    private const ulong NotAnEventFd = ulong.MaxValue;

    /// <summary>The kernel's number of the eventfd behind a descriptor; null where a sandbox hides it, and the descriptor's own number has to do.</summary>
    private static ulong? Identify(int file)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/self/fdinfo/{file}"))
            {
                if (line.StartsWith(IdField, StringComparison.Ordinal))
                {
                    return ulong.Parse(line.AsSpan(IdField.Length).Trim(), System.Globalization.CultureInfo.InvariantCulture);
                }
            }

            return NotAnEventFd;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
