using Akvam.Cli.Bench;

namespace Akvam.Tests.Bench;

public sealed class AkbRecorderTests
{
    private readonly AkbRecorder _recorder = new();

    [Fact]
    public void APhaseIsTheTimeBetweenItsTwoLines()
    {
        _recorder.Take("AKB begin int.crc n=30", TimeSpan.FromSeconds(1));
        _recorder.Take("AKB end int.crc n=30 sum=00000000000000ab\r", TimeSpan.FromSeconds(4));
        _recorder.Take("AKB done", TimeSpan.FromSeconds(4));
        Assert.Equal(new PhaseResult("int.crc", 30, "00000000000000ab", TimeSpan.FromSeconds(3)), Assert.Single(_recorder.Phases));
        Assert.True(_recorder.IsDone);
        Assert.False(_recorder.HasTrapped);
    }

    [Fact]
    public void ATimeThatCannotBeToldIsNone()
    {
        _recorder.Take("AKB begin a.b n=1", TimeSpan.FromSeconds(1));
        _recorder.Take("AKB end a.b n=1 sum=1", TimeSpan.FromSeconds(1));
        _recorder.Take("AKB begin a.c n=1", TimeSpan.FromSeconds(1));
        _recorder.Take("AKB end a.c n=1 sum=1", null);
        _recorder.Take("AKB end a.d n=1 sum=1", TimeSpan.FromSeconds(1));
        Assert.Equal(3, _recorder.Phases.Count);
        Assert.All(_recorder.Phases, phase => Assert.Null(phase.Time));
    }

    [Fact]
    public void NotesAndTrapsAreKept()
    {
        _recorder.Take("SeaBIOS AKB info smbase=a0000", null);
        _recorder.Take("AKB trap vector=14 error=0", null);
        Assert.Equal(["info smbase=a0000", "trap vector=14 error=0"], _recorder.Notes);
        Assert.True(_recorder.HasTrapped);
        Assert.False(_recorder.IsDone);
    }

    [Theory]
    [InlineData("")]
    [InlineData("AKB")]
    [InlineData("AKB begin")]
    [InlineData("AKB begin a.b")]
    [InlineData("AKB begin a.b n=")]
    [InlineData("AKB begin a.b n=0")]
    [InlineData("AKB begin a.b n=-1")]
    [InlineData("AKB end a.b n=1")]
    [InlineData("AKB end a.b n=99999999999999999999 sum=0")]
    [InlineData("AKB perhaps")]
    public void OtherLinesAreNone(string text) => Assert.False(AkbLine.TryParse(text, out _));

    [Fact]
    public void TheClockOfAProcessRuns()
    {
        TimeSpan? first = ProcessClock.Read(Environment.ProcessId);
        var spin = TimeSpan.FromMilliseconds(20);
        while (Environment.CpuUsage.TotalTime < first + spin)
        {
            Thread.SpinWait(1000);
        }

        Assert.InRange((ProcessClock.Read(Environment.ProcessId) - first)!.Value, spin / 2, TimeSpan.FromMinutes(10));
        Assert.Null(ProcessClock.Read(int.MaxValue / 16));
    }
}
