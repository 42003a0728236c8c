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
    public void Timers_run_in_the_order_of_their_deadlines()
    {
        var runs = new BlockingCollection<int>();
        ulong start = _clock.NowNs + (20 * Millisecond);
        int[] order = [7, 2, 9, 0, 5, 1, 8, 3, 6, 4];
        foreach (int i in order)
        {
            _queue.CreateTimer(() => runs.Add(i)).Arm(start + ((ulong)i * 50_000));
        }

        for (int i = 0; i < order.Length; i++)
        {
            Assert.True(runs.TryTake(out int next, s_patience));
            Assert.Equal(i, next);
        }
    }

    [Fact]
    public void A_deadline_moved_later_runs_at_the_later_time()
    {
        var runs = new BlockingCollection<ulong>();
        using IDeviceTimer timer = _queue.CreateTimer(() => runs.Add(_clock.NowNs));
        ulong start = _clock.NowNs;
        timer.Arm(start + (5 * Millisecond));
        timer.Arm(start + (30 * Millisecond));
        Assert.True(runs.TryTake(out ulong at, s_patience));
        Assert.True(at >= start + (30 * Millisecond));
        Assert.False(runs.TryTake(out _, TimeSpan.FromMilliseconds(10)));
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
    public void A_cancelled_timer_does_not_run_and_can_be_armed_again()
    {
        int runs = 0;
        using var last = new ManualResetEventSlim();
        using IDeviceTimer timer = _queue.CreateTimer(() => Interlocked.Increment(ref runs));
        timer.Arm(_clock.NowNs + (10 * Millisecond));
        timer.Cancel();
        _queue.CreateTimer(last.Set).Arm(_clock.NowNs + (20 * Millisecond));
        Assert.True(last.Wait(s_patience, TestContext.Current.CancellationToken));
        Assert.Equal(0, runs);
        last.Reset();
        timer.Arm(_clock.NowNs);
        _queue.CreateTimer(last.Set).Arm(_clock.NowNs + Millisecond);
        Assert.True(last.Wait(s_patience, TestContext.Current.CancellationToken));
        Assert.Equal(1, runs);
    }

    [Fact]
    public void A_disposed_timer_cannot_be_armed()
    {
        int runs = 0;
        using var last = new ManualResetEventSlim();
        IDeviceTimer timer = _queue.CreateTimer(() => Interlocked.Increment(ref runs));
        timer.Arm(_clock.NowNs + (5 * Millisecond));
        timer.Dispose();
        timer.Arm(_clock.NowNs);
        _queue.CreateTimer(last.Set).Arm(_clock.NowNs + (10 * Millisecond));
        Assert.True(last.Wait(s_patience, TestContext.Current.CancellationToken));
        Assert.Equal(0, runs);
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

    [Fact]
    public void Random_deadlines_all_run_in_time_order()
    {
        var random = new Random(20260816);
        var runs = new ConcurrentQueue<(int Timer, ulong Deadline)>();
        var deadlines = new ulong[200];
        var timers = new IDeviceTimer[200];
        using var done = new CountdownEvent(200);
        ulong start = _clock.NowNs + (50 * Millisecond);
        for (int i = 0; i < timers.Length; i++)
        {
            int index = i;
            timers[i] = _queue.CreateTimer(() =>
            {
                runs.Enqueue((index, deadlines[index]));
                done.Signal();
            });
        }

        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < timers.Length; i++)
            {
                deadlines[i] = start + (ulong)random.Next(20_000_000);
                timers[i].Arm(deadlines[i]);
            }
        }

        Assert.True(done.Wait(s_patience, TestContext.Current.CancellationToken));
        Assert.Equal(200, runs.Select(r => r.Timer).Distinct().Count());
        Assert.Equal(runs.Select(r => r.Deadline).Order(), runs.Select(r => r.Deadline));
    }
}
