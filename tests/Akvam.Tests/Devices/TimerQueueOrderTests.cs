using System.Collections.Concurrent;
using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>What the timer thread runs and in which order, with a clock that stands still while timers are armed.</summary>
public sealed class TimerQueueOrderTests : IDisposable
{
    private readonly JumpClock _clock = new();
    private readonly TimerQueue _queue;
    private readonly ConcurrentQueue<int> _runs = new();

    public TimerQueueOrderTests()
    {
        _queue = new TimerQueue(_clock);
    }

    public void Dispose() => _queue.Dispose();

    [Fact]
    public void Timers_run_in_the_order_of_their_deadlines()
    {
        foreach (int i in new[] { 7, 2, 9, 0, 5, 1, 8, 3, 6, 4 })
        {
            Timer(i).Arm((ulong)(1000 + i));
        }

        JumpTo(2000);
        Assert.Equal(Enumerable.Range(0, 10), _runs);
    }

    [Fact]
    public void A_timer_runs_once()
    {
        Timer(1).Arm(1000);
        JumpTo(2000);
        JumpTo(3000);
        Assert.Equal([1], _runs);
    }

    [Fact]
    public void A_deadline_that_has_not_come_does_not_run()
    {
        Timer(1).Arm(1000);
        JumpTo(999);
        Assert.Empty(_runs);
        JumpTo(1001);
        Assert.Equal([1], _runs);
    }

    [Fact]
    public void A_deadline_moved_later_runs_at_the_later_time()
    {
        IDeviceTimer timer = Timer(1);
        timer.Arm(1000);
        timer.Arm(3000);
        JumpTo(2000);
        Assert.Empty(_runs);
        JumpTo(3001);
        Assert.Equal([1], _runs);
    }

    [Fact]
    public void A_cancelled_timer_does_not_run_and_can_be_armed_again()
    {
        IDeviceTimer timer = Timer(1);
        timer.Arm(1000);
        timer.Cancel();
        JumpTo(2000);
        Assert.Empty(_runs);
        timer.Arm(2500);
        JumpTo(3000);
        Assert.Equal([1], _runs);
    }

    [Fact]
    public void A_disposed_timer_cannot_be_armed()
    {
        IDeviceTimer timer = Timer(1);
        timer.Arm(1000);
        timer.Dispose();
        timer.Arm(1500);
        JumpTo(2000);
        Assert.Empty(_runs);
    }

    [Fact]
    public void Random_arming_and_cancelling_runs_each_timer_at_its_last_deadline()
    {
        var random = new Random(20260816);
        IDeviceTimer[] timers = [.. Enumerable.Range(0, 200).Select(Timer)];
        var deadlines = new Dictionary<int, ulong>();
        var used = new HashSet<ulong>();
        for (int step = 0; step < 2000; step++)
        {
            int i = random.Next(timers.Length);
            ulong deadline = (ulong)random.Next(1000, 1_000_000);
            if (random.Next(4) == 0)
            {
                timers[i].Cancel();
                deadlines.Remove(i);
            }
            else if (used.Add(deadline))
            {
                timers[i].Arm(deadline);
                deadlines[i] = deadline;
            }
        }

        JumpTo(1_000_000);
        Assert.Equal(deadlines.OrderBy(d => d.Value).Select(d => d.Key), _runs);
    }

    private IDeviceTimer Timer(int id) => _queue.CreateTimer(() => _runs.Enqueue(id));

    /// <summary>Moves the clock and waits until the thread has run everything that was due before.</summary>
    private void JumpTo(ulong now)
    {
        using var done = new ManualResetEventSlim();
        using IDeviceTimer marker = _queue.CreateTimer(done.Set);
        _clock.NowNs = now;
        marker.Arm(now);
        Assert.True(done.Wait(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
    }
}
