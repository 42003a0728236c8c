using Akvam.Devices;

namespace Akvam.KvmTests.Time;

/// <summary>A timer host with one timer in use, which runs when a test lets it.</summary>
internal sealed class ManualTimers : ITimerHost
{
    private readonly List<Timer> _timers = [];

    /// <summary>Null: nothing is armed.</summary>
    public ulong? Deadline => _timers.SingleOrDefault(t => t.Deadline is not null)?.Deadline;

    /// <summary>Runs what is armed, whether it is due or not.</summary>
    public void Fire() => _timers.Single(t => t.Deadline is not null).Fire();

    public IDeviceTimer CreateTimer(Action onDue)
    {
        var timer = new Timer(onDue);
        _timers.Add(timer);
        return timer;
    }

    private sealed class Timer(Action onDue) : IDeviceTimer
    {
        public ulong? Deadline { get; private set; }

        public void Arm(ulong deadlineNs) => Deadline = deadlineNs;

        public void Cancel() => Deadline = null;

        public void Fire()
        {
            Deadline = null;
            onDue();
        }

        public void Dispose() => Deadline = null;
    }
}
