using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>A clock and timer host that stand still until a test moves them.</summary>
internal sealed class ManualTime : IClock, ITimerHost
{
    private readonly List<Timer> _timers = [];

    public ulong NowNs { get; private set; } = 1_000_000;

    /// <summary>Calls of <see cref="IDeviceTimer.Arm"/> so far.</summary>
    public int Arms { get; private set; }

    /// <summary>The earliest deadline, or null.</summary>
    public ulong? NextDeadline => _timers.Min(t => t.Deadline);

    public IDeviceTimer CreateTimer(Action onDue)
    {
        var timer = new Timer(this, onDue);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Moves time on, running every callback at its own deadline.</summary>
    public void Advance(ulong ns)
    {
        ulong end = NowNs + ns;
        while (_timers.Where(t => t.Deadline <= end).MinBy(t => t.Deadline) is Timer due)
        {
            NowNs = Math.Max(NowNs, due.Deadline!.Value);
            due.Deadline = null;
            due.OnDue();
        }

        NowNs = end;
    }

    /// <summary>Moves time on as a busy host does: callbacks run late, at the end.</summary>
    public void AdvanceLate(ulong ns)
    {
        NowNs += ns;
        Advance(0);
    }

    /// <summary>Moves time on without any callback, until the next call.</summary>
    public void AdvanceSilently(ulong ns) => NowNs += ns;

    private sealed class Timer(ManualTime time, Action onDue) : IDeviceTimer
    {
        public Action OnDue => onDue;

        public ulong? Deadline { get; set; }

        public void Arm(ulong deadlineNs)
        {
            time.Arms++;
            Deadline = deadlineNs;
        }

        public void Cancel() => Deadline = null;

        public void Dispose() => Deadline = null;
    }
}
