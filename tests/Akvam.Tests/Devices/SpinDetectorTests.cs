using Akvam.Devices;

namespace Akvam.Tests.Devices;

public sealed class SpinDetectorTests
{
    private const uint Told = 64;

    [Fact]
    public void OnlyManyPausesCloseTogetherAreALoop()
    {
        const ulong near = 300 * Told, far = 500 * Told;
        var spin = new SpinDetector(Told);
        ulong now = 1_000_000;
        for (int n = 0; n < 15; n++)
        {
            Assert.False(spin.Note(now += near));
        }

        Assert.False(spin.Note(now += far));
        for (int n = 0; n < 15; n++)
        {
            Assert.False(spin.Note(now += near));
        }

        Assert.True(spin.Note(now += near));
        spin.Slept(now += 10 * far);
        Assert.True(spin.Note(now += near));
        Assert.False(spin.Note(now));
    }
}
