using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>Ports of the 8254 and the speaker [82C54 data sheet, read operations].</summary>
public sealed class PitPortTests
{
    private readonly PitRig _rig = new();

    private Pit Pit => _rig.Pit;

    [Fact]
    public void A_latched_count_stays_until_it_is_read()
    {
        _rig.Program(0, mode: 2, count: 1000);
        Pit.WritePort(0x43, 0x00);
        _rig.To(100);
        Pit.WritePort(0x43, 0x00);
        Assert.Equal(1000, Pit.ReadPort(0x40) | (Pit.ReadPort(0x40) << 8));
        Assert.Equal(900, Pit.ReadPort(0x40) | (Pit.ReadPort(0x40) << 8));
    }

    [Fact]
    public void Without_a_latch_the_count_is_read_as_it_runs()
    {
        _rig.Program(0, mode: 2, count: 0x1000);
        int low = Pit.ReadPort(0x40);
        _rig.To(0x801);
        Assert.Equal((0x00, 0x07), (low, Pit.ReadPort(0x40)));
    }

    [Theory]
    [InlineData(0x14, 0x34, 0x34)]
    [InlineData(0x24, 0x12, 0x1200)]
    public void One_byte_formats_write_and_read_one_byte(int control, int value, int count)
    {
        Pit.WritePort(0x43, (byte)control);
        Pit.WritePort(0x40, (byte)value);
        Assert.Equal((uint)count, Pit.GetState().Channel0.Count);
        Assert.Equal(value, Pit.ReadPort(0x40));
        Assert.Equal(value, Pit.ReadPort(0x40));
    }

    [Fact]
    public void Read_back_latches_several_channels_at_once()
    {
        _rig.Program(1, mode: 2, count: 500);
        _rig.Program(0, mode: 2, count: 1000);
        _rig.To(10);
        Pit.WritePort(0x43, 0xD6);
        _rig.To(400);
        Assert.Equal(990, Pit.ReadPort(0x40) | (Pit.ReadPort(0x40) << 8));
        Assert.Equal(489, Pit.ReadPort(0x41) | (Pit.ReadPort(0x41) << 8));
    }

    [Fact]
    public void Status_is_read_before_a_count_latched_with_it()
    {
        _rig.Program(0, mode: 2, count: 1000);
        Pit.WritePort(0x43, 0xC2);
        Assert.Equal(0xB4, Pit.ReadPort(0x40));
        Assert.Equal(1000, Pit.ReadPort(0x40) | (Pit.ReadPort(0x40) << 8));
    }

    [Fact]
    public void Status_tells_format_mode_and_that_no_count_is_loaded()
    {
        Pit.WritePort(0x43, 0x1B);
        Assert.Equal(0x40 | 0x80 | 0x1B, _rig.Status(0));
        _rig.Program(0, mode: 5, count: 3, bcd: true);
        Assert.Equal(0x80 | 0x3B, _rig.Status(0));
    }

    [Fact]
    public void The_null_count_flag_lasts_until_a_deferred_count_is_loaded()
    {
        _rig.Program(0, mode: 2, count: 100);
        _rig.Count(0, 50);
        Assert.Equal(0x40, _rig.Status(0) & 0x40);
        _rig.To(100);
        Assert.Equal(0, _rig.Status(0) & 0x40);
    }

    [Fact]
    public void A_control_word_drops_what_was_latched()
    {
        _rig.Program(0, mode: 2, count: 1000);
        Pit.WritePort(0x43, 0x00);
        Pit.WritePort(0x43, 0xE2);
        _rig.Program(0, mode: 2, count: 77);
        Assert.Equal(77, Pit.ReadPort(0x40));
    }

    [Fact]
    public void The_control_port_cannot_be_read()
    {
        Assert.Equal(0, Pit.ReadPort(0x43));
    }

    [Fact]
    public void The_speaker_port_drives_gate_2_and_shows_OUT_2()
    {
        _rig.Program(2, mode: 0, count: 100);
        Pit.WritePort(0x61, 0x03);
        Assert.Equal(0x03, Pit.ReadPort(0x61) & 0x2F);
        _rig.To(101);
        Assert.Equal(0x23, Pit.ReadPort(0x61) & 0x2F);
        Pit.WritePort(0x61, 0x00);
        Assert.Equal(0x20, Pit.ReadPort(0x61) & 0x2F);
    }

    [Fact]
    public void The_refresh_bit_toggles_every_15_microseconds()
    {
        int changes = 0;
        int last = Pit.ReadPort(0x61) & 0x10;
        for (ulong cycle = 1; cycle <= 180; cycle++)
        {
            _rig.To(cycle);
            int now = Pit.ReadPort(0x61) & 0x10;
            changes += now != last ? 1 : 0;
            last = now;
        }

        Assert.Equal(10, changes);
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        _rig.Program(0, mode: 3, count: 1000);
        Pit.ReadPort(0x40);
        Pit.ReadPort(0x61);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Pit.ReadPort(0x40);
            Pit.ReadPort(0x61);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
