using System.Text;
using System.Text.Json;
using Akvam.Cli.Bench;

namespace Akvam.Tests.Bench;

public sealed class BenchReportTests
{
    private readonly BenchReport _report = new();

    [Fact]
    public void TheLowestOfTheRoundsCounts()
    {
        Add("translator", [300, 100, 200]);
        Assert.Equal(100, _report.Best("a.b", "translator"));
        Assert.Null(_report.Best("a.b", "native"));
        Assert.Empty(_report.Failures);
    }

    [Fact]
    public void AWorkIsTheGeometricMeanOfItsPhases()
    {
        var work = new BenchWork("w", ["a.b", "c.d"], null);
        _report.AddSample("tcg", "a.b", 1, 8);
        Assert.Null(work.Best(_report, "tcg"));
        _report.AddSample("tcg", "c.d", 1, 2);
        Assert.Equal(4, work.Best(_report, "tcg")!.Value, 9);
    }

    [Theory]
    [InlineData(6100, "2.03", "met")]
    [InlineData(4100, "1.37", "not met")]
    public void TheSummarySaysWhetherAGoalIsMet(double tcg, string ratio, string verdict)
    {
        foreach (string phase in (string[])["int.sieve", "int.crc", "int.hash", "int.sort"])
        {
            _report.AddSample("native", phase, 1, 2100);
            _report.AddSample("translator", phase, 1, 3000.1);
            _report.AddSample("tcg", phase, 1, tcg);
        }

        var text = new StringWriter();
        BenchTable.Write(_report, ["native", "translator", "tcg"], text, terminal: false);
        string row = Assert.Single(text.ToString().Split('\n'), line => line.Contains("int: sieve", StringComparison.Ordinal));
        Assert.Equal(["int: sieve, crc, hash, sort", "2.10 µs", "–", "3.00 µs", $"{tcg / 1000:0.00} µs", "1.43", ratio, "1.5", verdict],
            row.Split('│', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    [Fact]
    public void QemuOnAkvamIsJudgedByItsOwnFigure()
    {
        _report.AddSample("translator", LinuxRun.BootPhase(LinuxRun.Guest), 1, 1e9);
        _report.AddSample("tcg", LinuxRun.BootPhase(LinuxRun.Guest), 1, 3e9);
        var text = new StringWriter();
        BenchTable.Write(_report, ["translator", "tcg"], text, terminal: false);
        Assert.DoesNotContain("under QEMU", text.ToString(), StringComparison.Ordinal);

        _report.AddSample("exec", LinuxRun.BootPhase(LinuxRun.Guest), 1, 2.5e9);
        BenchTable.Write(_report, ["translator", "tcg", "exec"], text, terminal: false);
        string row = Assert.Single(text.ToString().Split('\n'), line => line.Contains("under QEMU", StringComparison.Ordinal));
        Assert.Equal(["the same under QEMU on Akvam", "–", "–", "2.50 s", "3.00 s", "–", "1.20", "1.5", "not met"],
            row.Split('│', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    [Fact]
    public void TheGuestsOwnMemoryIsNotCounted() => Assert.Equal(
        (100 + 7) << 10,
        LinuxRun.BeyondGuest(
        [
            "55-56 r-xp 00000000 08:01 1 /bin/x", "Size:  1000 kB", "KernelPageSize: 4 kB", "Rss: 100 kB",
            "60-61 rw-p 00000000 00:00 0 ", "Size: 262144 kB", "Rss: 90000 kB",
            "70-71 rw-p 00000000 00:00 0 ", "Size: 1048576 kB", "Rss: 7 kB",
        ]));

    [Fact]
    public void TheHandWrittenLoopsCountInstructions()
    {
        _report.Add("translator", "loop", 1, Run("loop.alu", 10, TimeSpan.FromMicroseconds(16384 * 11 * 10 / 1000.0), "1"), null);
        Assert.Equal(1, _report.Best("loop.alu", "translator")!.Value, 3);
        Assert.Equal("instruction", BenchReport.Unit("loop.alu"));
    }

    [Fact]
    public void ChecksumsThatDifferAreAFailure()
    {
        _report.Add("native", "a", 1, Run("a.b", 10, TimeSpan.FromSeconds(1), "1"), null);
        _report.Add("translator", "a", 1, Run("a.b", 10, TimeSpan.FromSeconds(1), "2"), null);
        _report.Add("tcg", "a", 1, Run("a.b", 20, TimeSpan.FromSeconds(1), "3"), null);
        Assert.Equal("a.b n=10: checksum 2 on translator, 1 on native", Assert.Single(_report.Failures));
    }

    [Fact]
    public void ARunThatFailsIsSaidSo()
    {
        _report.Add("tcg", "a", 1, new AkbRecorder(), "no output");
        Assert.Equal("tcg: a: no output", Assert.Single(_report.Failures));
    }

    [Theory]
    [InlineData(null, "–")]
    [InlineData(0.1234, "0.12 ns")]
    [InlineData(12.34, "12.3 ns")]
    [InlineData(1234.0, "1.23 µs")]
    [InlineData(12345678.0, "12.3 ms")]
    [InlineData(2e9, "2.00 s")]
    public void TimesHaveAFittingUnit(double? nanoseconds, string text) => Assert.Equal(text, BenchTable.Time(nanoseconds));

    [Fact]
    public void TheTableHasTheFiguresAndTheNotes()
    {
        Add("native", [100]);
        Add("translator", [2500]);
        _report.Note("no tcg: it is [not] there");
        var text = new StringWriter();
        BenchTable.Write(_report, ["native", "translator"], text, terminal: false);
        string row = Assert.Single(text.ToString().Split('\n'), line => line.Contains("a.b", StringComparison.Ordinal));
        Assert.Equal(["a.b", "operation", "100 ns", "2.50 µs", "25.0"], row.Split('│', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Contains("note: no tcg: it is [not] there", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonHoldsEverySample()
    {
        Add("translator", [300, 100]);
        using var stream = new MemoryStream();
        BenchJson.Write(stream, _report, ["translator"], 7);
        using JsonDocument json = JsonDocument.Parse(Encoding.UTF8.GetString(stream.ToArray()));
        Assert.Equal(7, json.RootElement.GetProperty("scale").GetInt32());
        JsonElement phase = json.RootElement.GetProperty("phases")[0];
        Assert.Equal([300.0, 100.0], phase.GetProperty("translator").EnumerateArray().Select(e => e.GetDouble()));
    }

    private static AkbRecorder Run(string phase, long count, TimeSpan time, string sum)
    {
        var run = new AkbRecorder();
        run.Take($"AKB begin {phase} n={count}", TimeSpan.FromSeconds(5));
        run.Take($"AKB end {phase} n={count} sum={sum}", TimeSpan.FromSeconds(5) + time);
        return run;
    }

    private void Add(string engine, double[] nanoseconds)
    {
        for (int i = 0; i < nanoseconds.Length; i++)
        {
            _report.Add(engine, "a", i, Run("a.b", 1000, TimeSpan.FromMicroseconds(nanoseconds[i]), "1"), null);
        }
    }
}
