namespace Akvam.Tests.Devices;

/// <summary>The six counting modes [82C54 data sheet, mode definitions]. Waves begin at the clock after the count is written.</summary>
public sealed class PitModeTests
{
    private readonly PitRig _rig = new();

    [Fact]
    public void Mode_0_goes_high_at_terminal_count_and_stays()
    {
        _rig.Program(0, mode: 0, count: 4);
        Assert.Equal("LLLLHHHHHH", _rig.Wave(0, 10));
    }

    [Fact]
    public void Mode_0_counts_down_and_through_zero()
    {
        _rig.Program(0, mode: 0, count: 4);
        int[] counts = new int[6];
        for (int i = 0; i < counts.Length; i++)
        {
            _rig.To((ulong)i);
            counts[i] = _rig.Read(0);
        }

        Assert.Equal([4, 3, 2, 1, 0, 0xFFFF], counts);
    }

    [Fact]
    public void Mode_0_starts_again_with_a_new_count()
    {
        _rig.Program(0, mode: 0, count: 4);
        _rig.To(10);
        _rig.Count(0, 3);
        Assert.False(_rig.Out(0));
        _rig.To(13);
        Assert.False(_rig.Out(0));
        _rig.To(14);
        Assert.True(_rig.Out(0));
    }

    [Fact]
    public void Mode_0_stops_at_the_first_byte_of_a_new_count()
    {
        _rig.Program(0, mode: 0, count: 100);
        _rig.To(90);
        _rig.Pit.WritePort(0x40, 50);
        _rig.To(500);
        Assert.False(_rig.Out(0));
        _rig.Pit.WritePort(0x40, 0);
        _rig.To(551);
        Assert.True(_rig.Out(0));
    }

    [Fact]
    public void Mode_0_is_held_by_a_low_gate()
    {
        _rig.Gate2(high: true);
        _rig.Program(2, mode: 0, count: 100);
        _rig.To(40);
        _rig.Gate2(high: false);
        _rig.To(1000);
        Assert.Equal(60, _rig.Read(2));
        _rig.Gate2(high: true);
        _rig.To(1059);
        Assert.False(_rig.Out(2));
        _rig.To(1060);
        Assert.True(_rig.Out(2));
    }

    [Fact]
    public void Mode_1_waits_for_a_trigger_and_goes_low_for_the_count()
    {
        _rig.Program(2, mode: 1, count: 4);
        Assert.Equal("HHHH", _rig.Wave(2, 4));
        _rig.To(9);
        _rig.Gate2(high: true);
        Assert.Equal("HLLLLHH", _rig.Wave(2, 16)[9..]);
    }

    [Fact]
    public void Mode_1_is_retriggered()
    {
        _rig.Program(2, mode: 1, count: 10);
        _rig.Gate2(high: true);
        _rig.To(8);
        _rig.Gate2(high: false);
        _rig.Gate2(high: true);
        _rig.To(18);
        Assert.False(_rig.Out(2));
        _rig.To(19);
        Assert.True(_rig.Out(2));
    }

    [Fact]
    public void Mode_1_takes_a_new_count_with_the_next_trigger()
    {
        _rig.Program(2, mode: 1, count: 10);
        _rig.Gate2(high: true);
        _rig.To(5);
        _rig.Count(2, 3);
        _rig.To(10);
        Assert.False(_rig.Out(2));
        _rig.To(20);
        _rig.Gate2(high: false);
        _rig.Gate2(high: true);
        _rig.To(23);
        Assert.False(_rig.Out(2));
        _rig.To(24);
        Assert.True(_rig.Out(2));
    }

    [Fact]
    public void Mode_2_is_low_for_the_last_clock_of_each_period()
    {
        _rig.Program(0, mode: 2, count: 4);
        Assert.Equal("HHHLHHHLHHHL", _rig.Wave(0, 12));
    }

    [Fact]
    public void Mode_2_counts_from_the_count_to_one()
    {
        _rig.Program(0, mode: 2, count: 3);
        int[] counts = new int[6];
        for (int i = 0; i < counts.Length; i++)
        {
            _rig.To((ulong)i);
            counts[i] = _rig.Read(0);
        }

        Assert.Equal([3, 2, 1, 3, 2, 1], counts);
    }

    [Fact]
    public void Mode_2_takes_a_new_count_at_the_end_of_the_period()
    {
        _rig.Program(0, mode: 2, count: 4);
        _rig.To(1);
        _rig.Count(0, 6);
        Assert.Equal("HLHHHHHLHHHHHL", _rig.Wave(0, 16)[2..]);
    }

    [Fact]
    public void Mode_2_is_high_while_the_gate_is_low_and_starts_over_after()
    {
        _rig.Gate2(high: true);
        _rig.Program(2, mode: 2, count: 4);
        _rig.To(3);
        Assert.False(_rig.Out(2));
        _rig.Gate2(high: false);
        Assert.True(_rig.Out(2));
        _rig.To(50);
        Assert.True(_rig.Out(2));
        _rig.Gate2(high: true);
        Assert.Equal("HHHHLHHHL", _rig.Wave(2, 59)[50..]);
    }

    [Fact]
    public void Mode_3_is_a_square_wave()
    {
        _rig.Program(0, mode: 3, count: 6);
        Assert.Equal("HHHLLLHHHLLL", _rig.Wave(0, 12));
    }

    [Fact]
    public void Mode_3_with_an_odd_count_is_high_one_clock_longer()
    {
        _rig.Program(0, mode: 3, count: 5);
        Assert.Equal("HHHLLHHHLL", _rig.Wave(0, 10));
    }

    [Theory]
    [InlineData(6, new[] { 6, 4, 2, 6, 4, 2, 6 })]
    [InlineData(5, new[] { 4, 2, 0, 4, 2, 4, 2 })]
    public void Mode_3_counts_by_two(int count, int[] expected)
    {
        _rig.Program(0, mode: 3, count: count);
        int[] counts = new int[expected.Length];
        for (int i = 0; i < counts.Length; i++)
        {
            _rig.To((ulong)i);
            counts[i] = _rig.Read(0);
        }

        Assert.Equal(expected, counts);
    }

    [Theory]
    [InlineData(1, "HHLLLLHHHHLLLL")]
    [InlineData(4, "LLHHHHLLLLHHHH")]
    public void Mode_3_takes_a_new_count_at_the_end_of_the_half(int at, string expected)
    {
        _rig.Program(0, mode: 3, count: 6);
        _rig.To((ulong)at);
        _rig.Count(0, 8);
        Assert.Equal(expected, _rig.Wave(0, at + expected.Length)[at..]);
    }

    [Fact]
    public void Mode_4_strobes_once()
    {
        _rig.Program(0, mode: 4, count: 4);
        Assert.Equal("HHHHLHHHHH", _rig.Wave(0, 10));
    }

    [Fact]
    public void Mode_5_strobes_after_a_trigger()
    {
        _rig.Program(2, mode: 5, count: 3);
        Assert.Equal("HHHHH", _rig.Wave(2, 5));
        _rig.To(9);
        _rig.Gate2(high: true);
        Assert.Equal("HHHHLHH", _rig.Wave(2, 16)[9..]);
    }

    [Theory]
    [InlineData(6, 2)]
    [InlineData(7, 3)]
    public void Modes_6_and_7_are_2_and_3(int written, int mode)
    {
        _rig.Program(0, written, count: 4);
        Assert.Equal(mode << 1, _rig.Status(0) & 0x0E);
    }

    [Theory]
    [InlineData(false, 65_536)]
    [InlineData(true, 10_000)]
    public void A_count_of_zero_is_the_largest(bool bcd, int cycles)
    {
        _rig.Program(0, mode: 0, count: 0, bcd);
        _rig.To((ulong)cycles - 1);
        Assert.False(_rig.Out(0));
        _rig.To((ulong)cycles);
        Assert.True(_rig.Out(0));
    }

    [Fact]
    public void BCD_counts_in_decimal()
    {
        _rig.Program(0, mode: 0, count: 0x1000, bcd: true);
        _rig.To(1);
        Assert.Equal(0x0999, _rig.Read(0));
        _rig.To(1001);
        Assert.Equal(0x9999, _rig.Read(0));
    }
}
