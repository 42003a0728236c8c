using System.Collections.Concurrent;
using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The real timer thread. Bounds are wide: the machine may be busy.</summary>
public sealed class TimerQueueTests : IDisposable
{
    private const ulong Millisecond = 1_000_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly MonotonicClock _clock = new();
    private readonly TimerQueue _queue;

    public TimerQueueTests()
    {
        _queue = new TimerQueue(_clock);
    }

    public void Dispose() => _queue.Dispose();

    [Fact]
    public void A_timer_runs_once_and_not_early()
    {
        var runs = new BlockingCollection<ulong>();
        using IDeviceTimer timer = _queue.CreateTimer(() => runs.Add(_clock.NowNs));
        ulong deadline = _clock.NowNs + (2 * Millisecond);
        timer.Arm(deadline);
        Assert.True(runs.TryTake(out ulong at, s_patience));
        Assert.True(at >= deadline);
        Assert.False(runs.TryTake(out _, TimeSpan.FromMilliseconds(20)));
    }

    [Fact]
    public void Waits_are_finer_than_a_millisecond()
    {
        // The best of many: one that is not delayed by the machine shows the precision of the wait.
        ulong best = ulong.MaxValue;
        using var ran = new AutoResetEvent(false);
        ulong at = 0;
        using IDeviceTimer timer = _queue.CreateTimer(() =>
        {
            at = _clock.NowNs;
            ran.Set();
        });
        for (int i = 0; i < 50; i++)
        {
            ulong deadline = _clock.NowNs + 300_000;
            timer.Arm(deadline);
            Assert.True(ran.WaitOne(s_patience));
            best = Math.Min(best, at - deadline);
        }

        Assert.InRange(best, 0UL, 400_000UL);
    }

    [Fact]
    public void A_deadline_moved_earlier_wakes_the_thread()
    {
        using var ran = new ManualResetEventSlim();
        using IDeviceTimer timer = _queue.CreateTimer(ran.Set);
        timer.Arm(_clock.NowNs + (60_000 * Millisecond));
        timer.Arm(_clock.NowNs + Millisecond);
        Assert.True(ran.Wait(s_patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_past_deadline_runs_at_once()
    {
        using var ran = new ManualResetEventSlim();
        using IDeviceTimer timer = _queue.CreateTimer(ran.Set);
        timer.Arm(0);
        Assert.True(ran.Wait(s_patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_callback_may_arm_its_own_timer()
    {
        using var done = new CountdownEvent(5);
        IDeviceTimer timer = null!;
        timer = _queue.CreateTimer(() =>
        {
            if (!done.Signal())
            {
                timer.Arm(_clock.NowNs + 100_000);
            }
        });
        timer.Arm(_clock.NowNs);
        Assert.True(done.Wait(s_patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Arming_later_again_and_again_allocates_nothing()
    {
        using IDeviceTimer timer = _queue.CreateTimer(static () => { });
        ulong deadline = _clock.NowNs + (60_000 * Millisecond);
        timer.Arm(deadline);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong i = 0; i < 1000; i++)
        {
            timer.Arm(deadline + i);
            timer.Cancel();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void After_disposal_nothing_runs()
    {
        int runs = 0;
        var queue = new TimerQueue(_clock);
        IDeviceTimer timer = queue.CreateTimer(() => Interlocked.Increment(ref runs));
        timer.Arm(_clock.NowNs + (5 * Millisecond));
        queue.Dispose();
        timer.Arm(_clock.NowNs);
        Thread.Sleep(20);
        Assert.Equal(0, runs);
    }
}
