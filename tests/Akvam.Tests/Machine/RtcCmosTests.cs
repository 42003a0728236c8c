using Akvam.Machine;
using Akvam.Machine.Devices;

namespace Akvam.Tests.Machine;

public sealed class RtcCmosTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly List<bool> _line = [];
    private readonly RtcCmos _rtc;

    public RtcCmosTests() => _rtc = new RtcCmos(_time, _line.Add, new DeviceLock(), new GuestLayout(5UL << 30), cpus: 2);

    public void Dispose() => _rtc.Dispose();

    private byte this[byte index]
    {
        get
        {
            _rtc.Write(0x70, 1, index);
            return (byte)_rtc.Read(0x71, 1);
        }

        set
        {
            _rtc.Write(0x70, 1, index);
            _rtc.Write(0x71, 1, value);
        }
    }

    [Fact]
    public void TimeIsBcdIn24HoursByDefault()
    {
        Assert.Equal("58 59 13 07 21 11 26 20", string.Join(' ', new byte[] { 0, 2, 4, 6, 7, 8, 9, 0x32 }.Select(i => this[i].ToString("X2"))));
    }

    [Fact]
    public void BinaryAnd12HourModesApply()
    {
        this[0x0B] = 0x04;
        Assert.Equal((58, 0x81), (this[0], this[4]));
        this[0x0B] = 0x00;
        Assert.Equal(0x81, this[4]);
        this[0x0B] = 0x06;
        Assert.Equal(13, this[4]);
    }

    [Fact]
    public void UpdateInProgressShowsOnlyBeforeTheSecondEnds()
    {
        Assert.Equal(0x26, this[0x0A]);
        _time.Advance(TimeSpan.FromMicroseconds(999_900));
        Assert.Equal(0xA6, this[0x0A]);
    }

    [Fact]
    public void SettingTheClockMovesItAndItGoesOn()
    {
        this[0x0B] = 0x82;
        this[0] = 0x10;
        this[4] = 0x05;
        this[9] = 0x99;
        this[0x32] = 0x19;
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(0x10, this[0]);
        this[0x0B] = 0x02;
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal((0x12, 0x05, 0x99, 0x19), (this[0], this[4], this[9], this[0x32]));
    }

    [Fact]
    public void UpdateInterruptComesEverySecondAndReadingClearsIt()
    {
        this[0x0B] = 0x12;
        Assert.Empty(_line);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([true], _line);
        Assert.Equal(0xD0, this[0x0C]);     // the periodic flag is set whether enabled or not
        Assert.Equal([true, false], _line);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([true, false, true], _line);
    }

    [Fact]
    public void PeriodicInterruptHasTheRateOfRegisterA()
    {
        this[0x0A] = 0x2F;                  // 2 Hz
        this[0x0B] = 0x42;
        int count = 0;
        for (int i = 0; i < 40; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            if ((this[0x0C] & 0x40) != 0)
            {
                count++;
            }
        }

        Assert.InRange(count, 7, 8);
    }

    [Fact]
    public void AlarmWithWildcardsMatches()
    {
        this[1] = 0x00;
        this[3] = 0x00;
        this[5] = 0xFF;
        this[0x0B] = 0x22;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(_line);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([true], _line);
        Assert.Equal(0xA0, this[0x0C] & 0xA0);
    }

    [Fact]
    public void MemorySizesAreThoseOfTheLayout()
    {
        Assert.Equal((0x80, 0x02), (this[0x15], this[0x16]));
        Assert.Equal(0xBF00, this[0x34] | (this[0x35] << 8));       // 3 GiB - 16 MiB in units of 64 KiB
        Assert.Equal(0x8000, this[0x5B] | (this[0x5C] << 8) | (this[0x5D] << 16));
        Assert.Equal(1, this[0x5F]);
    }
}
