using System.Text;

namespace Akvam.Tests.Architecture;

/// <summary>Blanks what is not C# code: comments and literals. Enough of the lexical grammar for rules that look at keywords and braces.</summary>
internal static class CodeText
{
    public static string Strip(string text)
    {
        StringBuilder code = new(text.Length);
        int position = 0;
        while (position < text.Length)
        {
            int end = LiteralOrCommentEnd(text, position);
            if (end > position)
            {
                Blank(text, position, end, code);
                position = end;
            }
            else
            {
                code.Append(text[position++]);
            }
        }

        return code.ToString();
    }

    private static void Blank(string text, int start, int end, StringBuilder code)
    {
        for (int i = start; i < end; i++)
        {
            code.Append(text[i] == '\n' ? '\n' : ' ');
        }
    }

    /// <summary>End of the comment or literal that starts at <paramref name="start"/>, or <paramref name="start"/> where none does.</summary>
    private static int LiteralOrCommentEnd(string text, int start)
    {
        ReadOnlySpan<char> rest = text.AsSpan(start);
        if (rest.StartsWith("//"))
        {
            return IndexOrEnd(text, "\n", start);
        }

        if (rest.StartsWith("/*"))
        {
            return Math.Min(text.Length, IndexOrEnd(text, "*/", start + 2) + 2);
        }

        if (rest[0] == '\'')
        {
            return QuotedEnd(text, start + 1, '\'', interpolated: false);
        }

        int quote = start;
        while (quote < text.Length && text[quote] is '$' or '@')
        {
            quote++;
        }

        if (quote >= text.Length || text[quote] != '"')
        {
            return start;
        }

        string prefix = text[start..quote];
        int quotes = quote;
        while (quotes < text.Length && text[quotes] == '"')
        {
            quotes++;
        }

        if (quotes - quote >= 3)
        {
            string raw = text[quote..quotes];
            return Math.Min(text.Length, IndexOrEnd(text, raw, quotes) + raw.Length);
        }

        return prefix.Contains('@') ? VerbatimEnd(text, quote + 1) : QuotedEnd(text, quote + 1, '"', prefix.Contains('$'));
    }

    private static int QuotedEnd(string text, int position, char quote, bool interpolated)
    {
        int depth = 0;
        while (position < text.Length && text[position] != '\n')
        {
            char c = text[position];
            if (depth > 0)
            {
                int nested = LiteralOrCommentEnd(text, position);
                if (nested > position)
                {
                    position = nested;
                    continue;
                }

                depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            }
            else if (c == '\\')
            {
                position++;
            }
            else if (c == quote)
            {
                return position + 1;
            }
            else if (interpolated && c == '{')
            {
                bool escaped = position + 1 < text.Length && text[position + 1] == '{';
                depth = escaped ? 0 : 1;
                position += escaped ? 1 : 0;
            }

            position++;
        }

        return Math.Min(position, text.Length);
    }

    private static int VerbatimEnd(string text, int position)
    {
        while (position < text.Length)
        {
            if (text[position] == '"')
            {
                if (position + 1 >= text.Length || text[position + 1] != '"')
                {
                    return position + 1;
                }

                position++;
            }

            position++;
        }

        return text.Length;
    }

    private static int IndexOrEnd(string text, string value, int start)
    {
        int index = start > text.Length ? -1 : text.IndexOf(value, start, StringComparison.Ordinal);
        return index < 0 ? text.Length : index;
    }
}
