namespace Akvam.Devices;

/// <summary>The real <see cref="ITimerHost"/>: one background thread that waits for the earliest deadline.</summary>
/// <remarks>
/// Made for timers that are armed far more often than they expire. A later deadline or a cancellation only changes a field; the timer
/// keeps its old place in the heap and is looked at again when that comes up. The thread is woken only for a deadline earlier
/// than the one it sleeps for.
/// </remarks>
public sealed class TimerQueue : ITimerHost, IDisposable
{
    private const ulong Never = ulong.MaxValue;

    private readonly Lock _gate = new();
    private readonly IClock _clock;
    private readonly DeadlineWaiter _waiter = new();
    private readonly Thread _thread;
    private readonly TimerHeap _heap = new();

    /// <summary>What the thread sleeps for; zero while it is awake and will look at the heap again anyway.</summary>
    private ulong _sleepUntil;
    private bool _stopping;

    /// <summary>Starts the thread.</summary>
    /// <param name="clock">The clock deadlines are given in.</param>
    public TimerQueue(IClock clock)
    {
        _clock = clock;
        _thread = new Thread(Run) { IsBackground = true, Name = "akvam timers" };
        _thread.Start();
    }

    public IDeviceTimer CreateTimer(Action onDue) => new Entry(this, onDue);

    /// <summary>Stops the thread, waiting for a callback that is running. Not from a callback.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
            _waiter.Wake();
        }

        _thread.Join();
        _waiter.Dispose();
    }

    private void Arm(Entry entry, ulong deadlineNs)
    {
        lock (_gate)
        {
            if (entry.IsDisposed || _stopping)
            {
                return;
            }

            entry.Deadline = deadlineNs;
            if (deadlineNs >= entry.Key)
            {
                return;
            }

            _heap.Set(entry, deadlineNs);
            if (deadlineNs < _sleepUntil)
            {
                _sleepUntil = deadlineNs;
                _waiter.Wake();
            }
        }
    }

    private void Cancel(Entry entry, bool forGood)
    {
        lock (_gate)
        {
            entry.Deadline = Never;
            if (forGood)
            {
                entry.IsDisposed = true;
                _heap.Remove(entry);
            }
        }
    }

    private void Run()
    {
        _waiter.PrepareThread();
        while (true)
        {
            Entry? due;
            ulong now = _clock.NowNs;
            ulong until;
            lock (_gate)
            {
                if (_stopping)
                {
                    return;
                }

                due = TakeDue(now, out until);
                _sleepUntil = due is null ? until : 0;
            }

            if (due is not null)
            {
                due.OnDue();
            }
            else
            {
                _waiter.Wait(until == Never ? Never : until - now);
                lock (_gate)
                {
                    _sleepUntil = 0;
                }
            }
        }
    }

    /// <summary>The next timer whose deadline has passed, or null and the time to look again.</summary>
    private Entry? TakeDue(ulong now, out ulong until)
    {
        while (_heap.First is Entry entry)
        {
            if (entry.Key > now)
            {
                until = entry.Key;
                return null;
            }

            if (entry.Deadline == entry.Key)
            {
                _heap.Remove(entry);
                entry.Deadline = Never;
                until = 0;
                return entry;
            }

            // Moved later or cancelled since it got this place.
            if (entry.Deadline == Never)
            {
                _heap.Remove(entry);
            }
            else
            {
                _heap.Set(entry, entry.Deadline);
            }
        }

        until = Never;
        return null;
    }

    private sealed class Entry(TimerQueue queue, Action onDue) : TimerHeap.Node, IDeviceTimer
    {
        public Action OnDue => onDue;

        /// <summary>When to run, <see cref="Never"/> if not armed. The key in the heap is never later.</summary>
        public ulong Deadline { get; set; } = Never;

        public bool IsDisposed { get; set; }

        public void Arm(ulong deadlineNs) => queue.Arm(this, Math.Min(deadlineNs, Never - 1));

        public void Cancel() => queue.Cancel(this, forGood: false);

        public void Dispose() => queue.Cancel(this, forGood: true);
    }
}
