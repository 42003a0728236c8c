using System.Text.RegularExpressions;

namespace Akvam.Tests.Architecture;

/// <summary>Rules about the text of a source file: length, types in it, documentation.</summary>
internal static partial class FileRules
{
    private const int Limit = 1000;
    private const int NeedsThought = 600;

    /// <summary>Files over 600 lines that have been thought about, each with the reason why it is one file.</summary>
    private static readonly Dictionary<string, string> s_longFiles = [];

    /// <summary>Files of several tiny types that make sense together only, each with its topic.</summary>
    private static readonly Dictionary<string, string> s_topics = new()
    {
        ["src/Akvam.Cpu/State/ControlBits.cs"] = "bits of the control registers",
    };

    public static IEnumerable<string> TooLong(SourceFile file)
    {
        int lines = file.Text.Count(c => c == '\n');
        bool table = file.Path.EndsWith("Table.cs", StringComparison.Ordinal) || file.Path.Contains("/vectors/", StringComparison.Ordinal);
        if (table || lines <= NeedsThought)
        {
            return [];
        }

        return lines > Limit ? [$"{file.Path}: {lines} lines, the limit is {Limit}"]
            : s_longFiles.ContainsKey(file.Path) ? []
            : [$"{file.Path}: {lines} lines; over {NeedsThought} it needs a reason in {nameof(FileRules)}"];
    }

    /// <summary>More than one type in a file, or one whose name is not the file's. Instruction families, and ABI topics of tiny structures, may share.</summary>
    public static IEnumerable<string> SeveralTypes(SourceFile file)
    {
        bool family = file.Path.Contains("/Semantics/", StringComparison.Ordinal) || file.Path.StartsWith("src/Akvam.Abi/", StringComparison.Ordinal) || s_topics.ContainsKey(file.Path);
        List<string> types = TopLevelTypes(file.Code).Distinct().ToList();
        string name = Path.GetFileName(file.Path).Split('.')[0];
        if (family || types.Count == 0)
        {
            return [];
        }

        return types.Count > 1 ? [$"{file.Path}: {types.Count} types: {string.Join(", ", types)}"]
            : types[0] != name ? [$"{file.Path}: holds {types[0]}"]
            : [];
    }

    /// <summary>Public types without a documentation comment. Of a partial type, the parts in <c>Name.Part.cs</c> need none.</summary>
    public static IEnumerable<string> Undocumented(SourceFile file)
    {
        bool part = Path.GetFileNameWithoutExtension(file.Path).Contains('.', StringComparison.Ordinal);
        string[] code = file.CodeLines;
        string[] lines = file.Lines;
        for (int i = 0; i < code.Length; i++)
        {
            Match match = PublicType().Match(code[i]);
            if (match.Success && !(part && code[i].Contains(" partial ", StringComparison.Ordinal)) && !Documented(lines, i))
            {
                yield return $"{file.Path}:{i + 1}: public type {match.Groups[1].Value} has no documentation comment";
            }
        }
    }

    private static bool Documented(string[] lines, int declaration)
    {
        int i = declaration - 1;
        while (i >= 0 && lines[i].TrimStart().StartsWith('['))
        {
            i--;
        }

        return i >= 0 && lines[i].TrimStart().StartsWith("///", StringComparison.Ordinal);
    }

    /// <summary>Names of the types declared outside every brace (namespaces are file-scoped).</summary>
    private static IEnumerable<string> TopLevelTypes(string code)
    {
        int depth = 0;
        foreach (string line in code.Split('\n'))
        {
            Match match = AnyType().Match(line);
            if (depth == 0 && match.Success)
            {
                yield return match.Groups[1].Value;
            }

            depth += line.Count(c => c == '{') - line.Count(c => c == '}');
        }
    }

    [GeneratedRegex(@"^\s*(?:public|internal|file)\s+(?:[a-z]+\s+)*?(?:class|struct|interface|enum|record\s+struct|record\s+class|record|delegate\s+[\w<>\[\]\*\?]+)\s+@?(\w+)")]
    private static partial Regex AnyType();

    [GeneratedRegex(@"^\s*public\s+(?:(?:static|sealed|abstract|unsafe|readonly|ref|partial|new)\s+)*(?:class|struct|interface|enum|record\s+struct|record\s+class|record|delegate\s+[\w<>\[\]\*\?]+)\s+@?(\w+)")]
    private static partial Regex PublicType();
}
