using System.Runtime.InteropServices;

namespace Akvam.Cli.Bench;

/// <summary>The CPU time of another process, to the nanosecond; /proc has it in ticks of 10 ms only.</summary>
internal static partial class ProcessClock
{
    private const int SchedulerClock = 2;           // CPUCLOCK_SCHED: what the scheduler counted, all threads

    /// <summary>CPU time of all threads of a process, or null once it is gone.</summary>
    public static TimeSpan? Read(int process)
    {
        // The clock of a process has its id, inverted, above three bits that say which clock it is.
        int clock = (~process << 3) | SchedulerClock;
        return clock_gettime(clock, out Timespec time) == 0
            ? TimeSpan.FromTicks((time.Seconds * TimeSpan.TicksPerSecond) + (time.Nanoseconds / TimeSpan.NanosecondsPerTick))
            : null;
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
