using Akvam.Devices;

namespace Akvam.Tests.Devices;

public sealed class CounterClockTests
{
    private const ulong Second = 2_096_009_000;

    private readonly ManualCounter _counter = new(2_096_009) { Now = 1_000_000 * Second };

    [Fact]
    public void Nanoseconds_are_what_the_ticks_take()
    {
        var clock = new CounterClock(_counter);
        Assert.Equal(1_000_000_000_000_000ul, clock.NowNs, 1_000_000ul);
        ulong before = clock.NowNs;
        _counter.Now += 86_400 * Second;
        Assert.Equal(86_400_000_000_000ul, clock.NowNs - before, 1ul);
        Assert.Equal(clock.NowNs, clock.ToNs(clock.Ticks));
        Assert.Equal(_counter.Now, clock.Ticks);
    }

    /// <summary>A processor that slept counts from 0: the clock goes on from not before what it said last.</summary>
    [Theory]
    [InlineData(0ul)]
    [InlineData(5 * Second)]
    [InlineData(999_000 * Second)]
    public void It_does_not_go_back_when_the_counter_does(ulong to)
    {
        var clock = new CounterClock(_counter);
        ulong last = 0;
        for (int i = 0; i < 20; i++)
        {
            _counter.Now += Second / 3;
            last = clock.Ticks;
        }

        _counter.Now = to;
        ulong first = clock.Ticks;
        Assert.InRange(first, last, last + (1ul << 32));
        _counter.Now += 123;
        Assert.Equal(first + 123, clock.Ticks);
        _counter.Now += 1_000_000 * Second;
        Assert.Equal(first + 123 + (1_000_000 * Second), clock.Ticks);
    }

    /// <summary>Two processors' counters may differ by a little, and a reading may be used late.</summary>
    [Fact]
    public void A_little_back_is_no_sleep()
    {
        var clock = new CounterClock(_counter);
        for (int i = 0; i < 100; i++)
        {
            _counter.Now += Second / 7;
            Assert.Equal(_counter.Now, clock.Ticks);
            _counter.Now -= Second / 10;
            Assert.Equal(_counter.Now, clock.Ticks);
        }
    }

    [Theory]
    [InlineData(1_000_000u, 100_000u)]
    [InlineData(1_000_000u, 2_500_000u)]
    [InlineData(3_000_000u, 1_000_000u)]
    [InlineData(2_096_009u, 2_096_009u)]
    [InlineData(100_000u, 100_000_000u)]
    public void Frequencies_that_divide_come_out_even(uint from, uint to)
    {
        var ratio = new TickRatio(from, to);
        foreach (ulong ticks in new ulong[] { 0, 1, 9, 10, 30, 3_000_000_000, 1ul << 40 })
        {
            Assert.Equal((ulong)((UInt128)ticks * to / from), ratio.Apply(ticks));
        }
    }
}
