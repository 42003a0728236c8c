using System.Globalization;
using Spectre.Console;

namespace Akvam.Cli.Bench;

/// <summary>Draws the summary: what Akvam wants to be, and what it is, against TCG and this machine's own processor.</summary>
internal static class BenchSummary
{
    private const string Subject = "translator", Other = "tcg", Native = "native";

    private static readonly string[] s_engines = [Native, "interpreter", Subject, Other];

    /// <summary>Writes a line for each work of which there are figures.</summary>
    /// <param name="report">The figures.</param>
    /// <param name="console">Where to.</param>
    public static void Write(BenchReport report, IAnsiConsole console)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("work");
        foreach (string heading in s_engines.Concat(["translator / native", "TCG / translator", "goal", ""]))
        {
            table.AddColumn(new TableColumn(Markup.Escape(heading)).RightAligned());
        }

        foreach (BenchWork work in BenchWork.All)
        {
            if (s_engines.Any(e => Best(report, work, e) is not null) && (work.Subject == Subject || work.Best(report, work.Subject) is not null))
            {
                table.AddRow([.. Row(report, work).Select(Markup.Escape)]);
            }
        }

        if (table.Rows.Count > 0)
        {
            console.Write(table);
        }
    }

    private static IEnumerable<string> Row(BenchReport report, BenchWork work)
    {
        yield return work.Name;
        foreach (string engine in s_engines)
        {
            yield return BenchTable.Value(work.Phases[0], Best(report, work, engine));
        }

        double? subject = work.Best(report, work.Subject), ratio = work.Best(report, Other) / subject;
        yield return Ratio(subject / work.Best(report, Native));
        yield return Ratio(ratio);
        yield return work.Goal is { } goal ? goal.ToString("0.#", CultureInfo.InvariantCulture) : "";
        yield return ratio is null || work.Goal is null ? "" : ratio >= work.Goal ? "met" : "not met";
    }

    /// <summary>The figure of an engine's column; in the translator's is what is judged.</summary>
    private static double? Best(BenchReport report, BenchWork work, string engine) => work.Best(report, engine == Subject ? work.Subject : engine);

    private static string Ratio(double? ratio) => ratio is { } value ? value.ToString(value < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture) : "–";
}
