using System.Globalization;

namespace Akvam.Cli.Bench;

/// <summary>One line of what a benchmark guest says: <c>AKB end PHASE n=COUNT sum=HEX</c> and its like.</summary>
/// <param name="Verb">begin, end, skip, info, trap or done.</param>
/// <param name="Phase">The phase of begin and end; the rest of the line otherwise.</param>
/// <param name="Count">Operations, with begin and end.</param>
/// <param name="Sum">The checksum, with end.</param>
internal readonly record struct AkbLine(string Verb, string Phase, long Count, string Sum)
{
    private const string Mark = "AKB ";

    /// <summary>Reads a line; firmware may have written something in front.</summary>
    public static bool TryParse(string text, out AkbLine line)
    {
        line = default;
        int start = text.IndexOf(Mark, StringComparison.Ordinal);
        if (start < 0)
        {
            return false;
        }

        string[] words = text[(start + Mark.Length)..].Split((char[])[' ', '\r'], StringSplitOptions.RemoveEmptyEntries);
        switch (words)
        {
            case ["begin", var phase, ['n', '=', .. var number]] when TryCount(number, out long count):
                line = new AkbLine("begin", phase, count, "");
                return true;
            case ["end", var phase, ['n', '=', .. var number], ['s', 'u', 'm', '=', .. var sum]] when TryCount(number, out long count):
                line = new AkbLine("end", phase, count, sum);
                return true;
            case ["skip" or "info" or "trap" or "done", .. var rest]:
                line = new AkbLine(words[0], string.Join(' ', rest), 0, "");
                return true;
            default:
                return false;
        }
    }

    private static bool TryCount(string text, out long count) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0;
}
