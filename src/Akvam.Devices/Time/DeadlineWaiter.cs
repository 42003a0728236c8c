using System.Runtime.InteropServices;

namespace Akvam.Devices;

/// <summary>Sleeps for a number of nanoseconds or until woken. A wake before the sleep ends it at once.</summary>
/// <remarks>
/// On Linux a ppoll on an eventfd, because the waits of .NET count whole milliseconds and a guest's timer does not. Elsewhere the
/// last millisecond is spun.
/// </remarks>
internal sealed class DeadlineWaiter : IDisposable
{
    private const ulong Never = ulong.MaxValue;
    private const ulong NsPerSecond = 1_000_000_000;
    private const ulong NsPerMillisecond = 1_000_000;
    private const short PollIn = 1;
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int SetTimerSlack = 29;

    private readonly int _eventFd = -1;
    private readonly ManualResetEventSlim? _signal;

    public DeadlineWaiter()
    {
        if (OperatingSystem.IsLinux())
        {
            _eventFd = EventFd(0, CloseOnExec | NonBlocking);
        }

        if (_eventFd < 0)
        {
            _signal = new ManualResetEventSlim();
        }
    }

    /// <summary>Called once on the thread that will wait: the kernel otherwise rounds its sleeps by 50 µs.</summary>
    public void PrepareThread()
    {
        if (_signal is null)
        {
            _ = Prctl(SetTimerSlack, 1, 0, 0, 0);
        }
    }

    public void Wake()
    {
        if (_signal is not null)
        {
            _signal.Set();
            return;
        }

        ulong one = 1;
        _ = Write(_eventFd, ref one, sizeof(ulong));
    }

    /// <summary>Sleeps; may end early, as a signal ends it.</summary>
    public void Wait(ulong ns)
    {
        if (_signal is not null)
        {
            WaitPortable(_signal, ns);
            return;
        }

        // A year is as good as never, and fits every timespec.
        ulong bounded = Math.Min(ns, 365 * 86_400 * NsPerSecond);
        var poll = new PollFd { Fd = _eventFd, Events = PollIn };
        var timeout = new TimeSpec { Seconds = (long)(bounded / NsPerSecond), Nanoseconds = (long)(bounded % NsPerSecond) };
        if (PPoll(ref poll, 1, ref timeout, 0) > 0)
        {
            ulong count = 0;
            _ = Read(_eventFd, ref count, sizeof(ulong));
        }
    }

    public void Dispose()
    {
        _signal?.Dispose();
        if (_eventFd >= 0)
        {
            _ = Close(_eventFd);
        }
    }

    private static void WaitPortable(ManualResetEventSlim signal, ulong ns)
    {
        if (ns == Never)
        {
            signal.Wait();
        }
        else if (ns >= 2 * NsPerMillisecond)
        {
            signal.Wait((int)Math.Min((ns / NsPerMillisecond) - 1, int.MaxValue));
        }
        else
        {
            Thread.Yield();
        }

        signal.Reset();
    }

    [DllImport("libc", EntryPoint = "eventfd")]
    private static extern int EventFd(uint initial, int flags);

    [DllImport("libc", EntryPoint = "ppoll")]
    private static extern int PPoll(ref PollFd fds, nuint count, ref TimeSpec timeout, nint signalMask);

    [DllImport("libc", EntryPoint = "read")]
    private static extern nint Read(int fd, ref ulong value, nuint length);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int fd, ref ulong value, nuint length);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int Close(int fd);

    [DllImport("libc", EntryPoint = "prctl")]
    private static extern int Prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);

    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
