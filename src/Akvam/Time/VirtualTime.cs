using Akvam.Devices;

namespace Akvam;

/// <summary>
/// Time that moves only when its owner moves it: monotonic time, timers and date of a deterministic machine. Timers run on the thread that moves the time, in the
/// order of their deadlines, and those with the same deadline in the order in which they were made.
/// </summary>
/// <remarks>For one thread.</remarks>
public sealed class VirtualTime : TimeProvider, IClock, ITimerHost, IStealTimeSource
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private static readonly DateTimeOffset s_start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly List<Entry> _timers = [];

    /// <summary>Nanoseconds since it was made.</summary>
    public ulong NowNs { get; private set; }

    /// <summary>When the next timer is due, or null: none is armed.</summary>
    public ulong? NextDeadline => Next(ulong.MaxValue)?.Deadline;

    public override long TimestampFrequency => NanosecondsPerSecond;

    /// <summary>Moves the time on, and runs what becomes due on the way.</summary>
    public void Advance(ulong ns)
    {
        ulong end = NowNs + ns;
        while (Next(end) is { } due)
        {
            NowNs = Math.Max(NowNs, due.Deadline!.Value);
            due.Fire();
        }

        NowNs = end;
    }

    public override DateTimeOffset GetUtcNow() => s_start.AddTicks((long)(NowNs / TimeSpan.NanosecondsPerTick));

    public override long GetTimestamp() => (long)NowNs;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new HostTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Nobody takes time away from a thread in this time.</summary>
    ulong IStealTimeSource.WaitedNs() => 0;

    IDeviceTimer ITimerHost.CreateTimer(Action onDue) => Add(onDue);

    private Entry Add(Action onDue)
    {
        var entry = new Entry(this, onDue);
        _timers.Add(entry);
        return entry;
    }

    private Entry? Next(ulong until)
    {
        Entry? next = null;
        foreach (Entry entry in _timers)
        {
            if (entry.Deadline <= until && (next is null || entry.Deadline < next.Deadline))
            {
                next = entry;
            }
        }

        return next;
    }

    private sealed class Entry(VirtualTime time, Action onDue) : IDeviceTimer
    {
        public ulong? Deadline { get; private set; }

        public void Arm(ulong deadlineNs) => Deadline = deadlineNs;

        public void Cancel() => Deadline = null;

        public void Fire()
        {
            Deadline = null;
            onDue();
        }

        public void Dispose() => time._timers.Remove(this);
    }

    private sealed class HostTimer : ITimer
    {
        private readonly VirtualTime _time;
        private readonly Action _onDue;
        private readonly Entry _entry;
        private TimeSpan _period;

        public HostTimer(VirtualTime time, Action onDue)
        {
            _time = time;
            _onDue = onDue;
            _entry = time.Add(OnDue);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            if (dueTime == Timeout.InfiniteTimeSpan)
            {
                _entry.Cancel();
            }
            else
            {
                _entry.Arm(_time.NowNs + (ulong)dueTime.TotalNanoseconds);
            }

            return true;
        }

        public void Dispose() => _entry.Dispose();

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void OnDue()
        {
            if (_period > TimeSpan.Zero)
            {
                _entry.Arm(_time.NowNs + (ulong)_period.TotalNanoseconds);
            }

            _onDue();
        }
    }
}
