using System.Text.RegularExpressions;

namespace Akvam.Tests.Architecture;

/// <summary>Where unsafe code may be, and that each unsafe type says what keeps its pointers valid.</summary>
internal static partial class UnsafeRules
{
    /// <summary>Folders that may hold unsafe code. The rest of the product cannot corrupt the process.</summary>
    private static readonly string[] s_folders = ["src/Akvam.Cpu/", "src/Akvam/", "src/Akvam.Preload/"];

    /// <summary>Projects whose only unsafe code is what the compiler generates, each with what needs it. The keyword stays forbidden there.</summary>
    private static readonly Dictionary<string, string> s_generated = new()
    {
        ["src/Akvam.Cli/Akvam.Cli.csproj"] = "LibraryImport for the terminal's settings and the clocks of processes",
    };

    /// <summary>Project files that let unsafe code in although none belongs there.</summary>
    public static IEnumerable<string> NeedlessPermission(SourceFile project) =>
        project.Text.Contains("AllowUnsafeBlocks", StringComparison.Ordinal) && !s_generated.ContainsKey(project.Path)
            && !s_folders.Any(folder => project.Path.StartsWith(folder, StringComparison.Ordinal))
            ? [$"{project.Path}: allows unsafe code"]
            : [];

    public static IEnumerable<string> WrongPlace(SourceFile file)
    {
        if (s_folders.Any(folder => file.Path.StartsWith(folder, StringComparison.Ordinal)))
        {
            yield break;
        }

        string[] code = file.CodeLines;
        for (int i = 0; i < code.Length; i++)
        {
            if (UnsafeKeyword().IsMatch(code[i]))
            {
                yield return $"{file.Path}:{i + 1}: unsafe code outside {string.Join(", ", s_folders)}";
            }
        }
    }

    /// <summary>Unsafe types none of whose parts has a documentation comment with the word "Valid".</summary>
    public static IEnumerable<string> Unexplained(IEnumerable<SourceFile> files) =>
        files.SelectMany(file => UnsafeTypes(file).Select(type => (file.Path, type.Name, type.Explained)))
            .GroupBy(type => (Path.GetDirectoryName(type.Path), type.Name))
            .Where(parts => !parts.Any(part => part.Explained))
            .Select(parts => $"{parts.First().Path}: unsafe type {parts.Key.Name} does not say what keeps it valid (\"Valid because …\" in its documentation)");

    private static IEnumerable<(string Name, bool Explained)> UnsafeTypes(SourceFile file)
    {
        string[] code = file.CodeLines;
        string[] lines = file.Lines;
        for (int i = 0; i < code.Length; i++)
        {
            Match match = UnsafeType().Match(code[i]);
            if (!match.Success)
            {
                continue;
            }

            bool explained = false;
            for (int j = i - 1; j >= 0 && lines[j].TrimStart() is var above && (above.StartsWith('[') || above.StartsWith("///", StringComparison.Ordinal)); j--)
            {
                explained |= Valid().IsMatch(above);
            }

            yield return (match.Groups[1].Value, explained);
        }
    }

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex UnsafeKeyword();

    [GeneratedRegex(@"\bunsafe\b.*\b(?:class|struct|interface)\s+(\w+)")]
    private static partial Regex UnsafeType();

    [GeneratedRegex(@"\b[Vv]alid\b")]
    private static partial Regex Valid();
}
