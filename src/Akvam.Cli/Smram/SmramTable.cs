using System.Globalization;
using Akvam.Debugger.Smram;
using Spectre.Console;

namespace Akvam.Cli.Smram;

/// <summary>Draws a state-save image.</summary>
internal static class SmramTable
{
    private const int WidthOfFiles = 160;

    private static readonly string[] s_segments = ["CS", "SS", "DS", "ES", "FS", "GS", "LDTR", "TR", "GDTR", "IDTR"];

    /// <summary>Writes the registers, the segments, and what is wrong.</summary>
    /// <param name="image">The image.</param>
    /// <param name="other">One of the same format to compare with, or null; the differences are marked.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="terminal">Whether that is a terminal, with a width and colours.</param>
    public static void Write(SmramImage image, SmramImage? other, TextWriter writer, bool terminal)
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

        console.MarkupLine(Markup.Escape($"format {SmramNames.Of(image.Format)}, {SmramText.Mode(image)}, CPL {image["SS.rights"] >> 5 & 3}"));
        console.Write(Registers(image, other));
        console.Write(Segments(image, other));
        int[] reserved = [.. image.ReservedBytesInUse()];
        if (reserved.Length > 0)
        {
            console.MarkupLine(Markup.Escape($"reserved bytes that are not zero: {string.Join(' ', reserved.Select(i => $"{i:X4}h={image.Bytes[i - SmramImage.Start]:X2}"))}"));
        }

        foreach (string problem in SmramChecks.Problems(image))
        {
            console.MarkupLine($"[red]RSM would shut down[/]: {Markup.Escape(problem)}");
        }

        if (other is not null)
        {
            int count = SmramMaps.Fields(image.Format).Count(f => f.CopyOf is null && image.Read(f) != other.Read(f));
            console.MarkupLine(count == 0 ? "no differences" : $"{count} fields differ; the other image's values are marked with ≠");
        }
    }

    private static Table Registers(SmramImage image, SmramImage? other)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("field").AddColumn("at").AddColumn(new TableColumn("value").RightAligned()).AddColumn("meaning");
        foreach (SmramField field in SmramMaps.Fields(image.Format).Where(f => f.Segment is null && f.CopyOf is null))
        {
            ulong value = image.Read(field);
            table.AddRow(
                Markup.Escape(field.Name), At(field), Different(image, other, field) ? $"{Marked(Hex(field, value))}\n{Faded($"≠ {Hex(field, other!.Read(field))}")}" : Hex(field, value),
                Markup.Escape(SmramText.Meaning(field, value)) + (Different(image, other, field) ? $"\n{Faded(SmramText.Meaning(field, other!.Read(field)))}" : ""));
        }

        return table;
    }

    private static Table Segments(SmramImage image, SmramImage? other)
    {
        Table table = new Table().Border(TableBorder.Rounded).AddColumn("segment").AddColumn("at");
        foreach (string part in (string[])["selector", "rights", "limit", "base"])
        {
            table.AddColumn(new TableColumn(part).RightAligned());
        }

        table.AddColumn("meaning");
        foreach (string name in s_segments)
        {
            SmramField[] parts = [.. new[] { "selector", "rights", "limit", "base" }.Select(part => SmramMaps.Find(image.Format, $"{name}.{part}")).OfType<SmramField>()];
            SmramField? rights = parts.FirstOrDefault(p => p.Kind == SmramFieldKind.Rights);
            IEnumerable<string> cells = new[] { SmramFieldKind.Selector, SmramFieldKind.Rights, SmramFieldKind.Limit, SmramFieldKind.Base }
                .Select(kind => parts.FirstOrDefault(p => p.Kind == kind)).Select(part => part is null ? "" : Cell(image, other, part));
            table.AddRow([name, At(parts.MinBy(p => p.Kind == SmramFieldKind.Selector ? int.MaxValue : p.Offset)!), .. cells, rights is null ? "" : Markup.Escape(SmramText.Meaning(rights, image.Read(rights)))]);
        }

        return table;
    }

    private static string Cell(SmramImage image, SmramImage? other, SmramField field) =>
        Different(image, other, field) ? $"{Marked(Hex(field, image.Read(field)))}\n{Faded($"≠ {Hex(field, other!.Read(field))}")}" : Hex(field, image.Read(field));

    private static bool Different(SmramImage image, SmramImage? other, SmramField field) => other is not null && image.Read(field) != other.Read(field);

    private static string At(SmramField field) => $"{field.Offset:X4}h";

    private static string Hex(SmramField field, ulong value) =>
        value.ToString(field.Kind == SmramFieldKind.Rights ? "x4" : $"x{2 * field.Width}", CultureInfo.InvariantCulture);

    private static string Marked(string text) => $"[bold yellow]{Markup.Escape(text)}[/]";

    private static string Faded(string text) => $"[red]{Markup.Escape(text)}[/]";
}
