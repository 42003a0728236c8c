using System.Text;
using System.Text.Json;
using Akvam.Cli.Bench;

namespace Akvam.Tests.Bench;

public sealed class BenchReportTests
{
    private readonly BenchReport _report = new();

    [Fact]
    public void MediansAreOfRoundsAndRatiosOfPairs()
    {
        Add("akvam", [300, 100, 200]);
        Add("tcg", [100, 100, 50]);
        Assert.Equal(200, _report.Median("a.b", "akvam"));
        Assert.Equal([1.0, 3.0, 4.0], _report.Ratios("a.b", "akvam", "tcg"));
        Assert.Null(_report.Median("a.b", "native"));
        Assert.Empty(_report.Ratios("a.b", "akvam", "native"));
        Assert.Empty(_report.Failures);
    }

    [Fact]
    public void ARoundThatOneEngineMissesIsInNoRatio()
    {
        Add("akvam", [300, 100]);
        Add("tcg", [100]);
        Assert.Equal([3.0], _report.Ratios("a.b", "akvam", "tcg"));
    }

    [Fact]
    public void TheHandWrittenLoopsCountInstructions()
    {
        _report.Add("akvam", "loop", 1, Run("loop.alu", 10, TimeSpan.FromMicroseconds(16384 * 11 * 10 / 1000.0), "1"), null);
        Assert.Equal(1, _report.Median("loop.alu", "akvam")!.Value, 3);
        Assert.Equal("instruction", BenchReport.Unit("loop.alu"));
    }

    [Fact]
    public void ChecksumsThatDifferAreAFailure()
    {
        _report.Add("native", "a", 1, Run("a.b", 10, TimeSpan.FromSeconds(1), "1"), null);
        _report.Add("akvam", "a", 1, Run("a.b", 10, TimeSpan.FromSeconds(1), "2"), null);
        _report.Add("tcg", "a", 1, Run("a.b", 20, TimeSpan.FromSeconds(1), "3"), null);
        Assert.Equal("a.b n=10: checksum 2 on akvam, 1 on native", Assert.Single(_report.Failures));
    }

    [Fact]
    public void ARunThatFailsIsSaidSo()
    {
        _report.Add("tcg", "a", 1, new AkbRecorder(), "no output");
        Assert.Equal("tcg: a: no output", Assert.Single(_report.Failures));
    }

    [Theory]
    [InlineData(new double[] { }, null)]
    [InlineData(new double[] { 3, 1 }, 2.0)]
    [InlineData(new double[] { 9, 1, 2 }, 2.0)]
    public void TheMedianIsTheMiddle(double[] numbers, double? median) => Assert.Equal(median, BenchReport.MedianOf(numbers));

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
        Add("akvam", [2500]);
        _report.Note("no tcg: it is [not] there");
        var text = new StringWriter();
        BenchTable.Write(_report, ["native", "akvam"], text, terminal: false);
        string row = Assert.Single(text.ToString().Split('\n'), line => line.Contains("a.b", StringComparison.Ordinal));
        Assert.Equal(["a.b", "operation", "100 ns", "2.50 µs", "25.0"], row.Split('│', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Contains("note: no tcg: it is [not] there", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonHoldsEverySample()
    {
        Add("akvam", [300, 100]);
        using var stream = new MemoryStream();
        BenchJson.Write(stream, _report, ["akvam"], 7);
        using JsonDocument json = JsonDocument.Parse(Encoding.UTF8.GetString(stream.ToArray()));
        Assert.Equal(7, json.RootElement.GetProperty("scale").GetInt32());
        JsonElement phase = json.RootElement.GetProperty("phases")[0];
        Assert.Equal([300.0, 100.0], phase.GetProperty("akvam").EnumerateArray().Select(e => e.GetDouble()));
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
