using System.Runtime.InteropServices;

namespace Akvam.Native;

/// <summary>A sleep that any thread can end, and a deadline; no spinning. Signals are remembered until the next <see cref="Wait"/>.</summary>
/// <remarks>
/// Valid because the file is closed by the finalizer of its handle only, when nobody can reach it any more. A system call that the
/// client's signal handler interrupts ends the wait too, so a signal is always followed by a look at what is to be done.
/// </remarks>
internal sealed unsafe class WakeEvent
{
    private readonly EventFile _file = new();
    private int _sleeping;

    /// <summary>A write of 8 bytes of 1 to it ends the wait too.</summary>
    public int File => _file.Number;

    /// <summary>Ends the current or the next wait. Costs a system call only if somebody sleeps.</summary>
    public void Signal()
    {
        // The caller made its reason visible before; the sleeper says that it sleeps before it looks for reasons. One of them sees the other.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleeping) != 0)
        {
            ulong one = 1;
            Libc.write(_file.Number, &one, sizeof(ulong));
        }
    }

    /// <summary>To be called before looking whether there is a reason not to sleep; followed by <see cref="Wait"/> or <see cref="Leave"/>.</summary>
    public void Enter() => Interlocked.Exchange(ref _sleeping, 1);

    /// <summary>There was a reason not to sleep.</summary>
    public void Leave()
    {
        Volatile.Write(ref _sleeping, 0);
    }

    /// <summary>Sleeps until <see cref="Signal"/>, a signal, or for <paramref name="nanoseconds"/> (negative: without end). True: it was <see cref="Signal"/>.</summary>
    public bool Wait(long nanoseconds = -1)
    {
        var poll = new Libc.PollFd { File = _file.Number, Events = Libc.POLLIN };
        var time = new Libc.TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        bool signalled = Libc.ppoll(&poll, 1, nanoseconds < 0 ? null : &time, null) > 0;
        if (signalled)
        {
            ulong count;
            Libc.read(_file.Number, &count, sizeof(ulong));
        }

        Leave();
        GC.KeepAlive(_file);
        return signalled;
    }

    /// <summary>An eventfd, closed with its handle.</summary>
    private sealed class EventFile : SafeHandle
    {
        public EventFile()
            : base(-1, ownsHandle: true)
        {
            int file = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
            if (file < 0)
            {
                throw new KvmException((Abi.Errno)Marshal.GetLastPInvokeError(), "eventfd");
            }

            SetHandle(file);
        }

        public int Number => (int)handle;

        public override bool IsInvalid => handle < 0;

        protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
    }
}
