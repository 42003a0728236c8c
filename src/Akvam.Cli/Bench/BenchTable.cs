using System.Globalization;
using Spectre.Console;

namespace Akvam.Cli.Bench;

/// <summary>Draws a benchmark's figures.</summary>
internal static class BenchTable
{
    private const int WidthOfFiles = 200;

    /// <summary>Writes the table, then notes and failures.</summary>
    /// <param name="report">The figures.</param>
    /// <param name="engines">The engines that ran, in order.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="terminal">Whether that is a terminal, with a width and colours.</param>
    public static void Write(BenchReport report, IReadOnlyList<string> engines, TextWriter writer, bool terminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!terminal)
        {
            console.Profile.Width = WidthOfFiles;
        }

        string subject = engines.Contains("translator") ? "translator" : engines[0];
        string[] others = [.. engines.Where(e => e != subject)];
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("phase").AddColumn("per");
        foreach (string heading in engines.Concat(others.Select(o => $"{subject} / {o}")))
        {
            table.AddColumn(new TableColumn(Markup.Escape(heading)).RightAligned());
        }

        foreach (string phase in report.Phases)
        {
            IEnumerable<string> times = engines.Select(e => Value(phase, report.Best(phase, e)));
            IEnumerable<string> ratios = others.Select(o => Ratio(report.Best(phase, subject) / report.Best(phase, o)));
            table.AddRow([.. times.Concat(ratios).Prepend(BenchReport.Unit(phase)).Prepend(phase).Select(Markup.Escape)]);
        }

        console.Write(table);
        BenchSummary.Write(report, console);
        foreach (string note in report.Notes)
        {
            console.MarkupLine($"[dim]note[/]: {Markup.Escape(note)}");
        }

        foreach (string failure in report.Failures)
        {
            console.MarkupLine($"[red]FAILED[/]: {Markup.Escape(failure)}");
        }
    }

    /// <summary>A time with three digits that count, and its unit.</summary>
    public static string Time(double? nanoseconds)
    {
        if (nanoseconds is not { } value)
        {
            return "–";
        }

        (double number, string unit) = value switch
        {
            < 1e3 => (value, "ns"),
            < 1e6 => (value / 1e3, "µs"),
            < 1e9 => (value / 1e6, "ms"),
            _ => (value / 1e9, "s"),
        };
        return $"{Digits(number)} {unit}";
    }

    /// <summary>The figure of a phase with its unit: a time, or memory.</summary>
    public static string Value(string phase, double? value) =>
        LinuxRun.Guests.Any(guest => phase == LinuxRun.MemoryPhase(guest)) && value is { } bytes ? $"{Digits(bytes / (1 << 20))} MiB" : Time(value);

    private static string Ratio(double? ratio) => ratio is { } value ? Digits(value) : "–";

    private static string Digits(double number) =>
        number.ToString(number < 10 ? "0.00" : number < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);
}
