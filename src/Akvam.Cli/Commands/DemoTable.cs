using System.Globalization;
using System.Text;
using Akvam.Machine.Demo;

namespace Akvam.Cli.Commands;

/// <summary>Draws the demo's timeline.</summary>
internal static class DemoTable
{
    private const string Reset = "\e[0m", Dim = "\e[2m", Smm = "\e[35m", Second = "\e[33m", Bold = "\e[1m";

    /// <summary>The timeline as a table, a line an event; lines inside SMM are indented under the code they interrupt.</summary>
    public static string Format(IReadOnlyList<DemoEvent> events, bool color)
    {
        string[] head = ["µs", "CPU", "mode", "RIP", "what happened"];
        List<string[]> rows = [.. events.Select(Row)];
        int[] widths = [.. head.Select((title, i) => Math.Max(title.Length, rows.Count == 0 ? 0 : rows.Max(r => r[i].Length)))];
        var text = new StringBuilder();
        Rule(text, widths, '┌', '┬', '┐');
        Line(text, head, widths, color ? Bold : "", color);
        Rule(text, widths, '├', '┼', '┤');
        for (int i = 0; i < rows.Count; i++)
        {
            Line(text, rows[i], widths, !color ? "" : events[i].InSmm ? Smm : events[i].Vcpu != 0 ? Second : "", color);
        }

        Rule(text, widths, '└', '┴', '┘');
        return text.ToString();
    }

    private static string[] Row(DemoEvent e) =>
    [
        ((long)e.Elapsed.TotalMicroseconds).ToString("N0", CultureInfo.InvariantCulture),
        e.Vcpu.ToString(CultureInfo.InvariantCulture),
        e.InSmm ? "  SMM" : e.Mode.Replace(" mode", "", StringComparison.Ordinal),
        $"{e.Rip:X}h",
        e.InSmm ? $"  {e.Text}" : e.Text,
    ];

    private static void Line(StringBuilder text, string[] cells, int[] widths, string style, bool color)
    {
        for (int i = 0; i < cells.Length; i++)
        {
            bool right = i is 0 or 1 or 3;
            string cell = right ? cells[i].PadLeft(widths[i]) : cells[i].PadRight(widths[i]);
            text.Append(color ? $"{Dim}│{Reset} {style}{cell}{(style.Length > 0 ? Reset : "")} " : $"│ {cell} ");
        }

        text.AppendLine(color ? $"{Dim}│{Reset}" : "│");
    }

    private static void Rule(StringBuilder text, int[] widths, char left, char middle, char right) =>
        text.Append(left).AppendJoin(middle, widths.Select(w => new string('─', w + 2))).Append(right).AppendLine();
}
