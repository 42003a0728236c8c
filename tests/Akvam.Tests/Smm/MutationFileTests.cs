using System.Text.RegularExpressions;
using Akvam.Tests.Architecture;

namespace Akvam.Tests.Smm;

/// <summary>
/// <c>conformance/*.mutations</c>, which <c>conformance/mutations</c> tries one by one, is too long a run for every day: here it is looked at whether it fits the sources, and whether each
/// row of the semantics sheet that a test holds can be broken by one of them.
/// </summary>
public sealed partial class MutationFileTests
{
    private sealed record Mutation(string[] Rows, string What, string File, List<(string Old, string New)> Edits, List<(string Project, string Class, string Method)> Tests);

    [Fact]
    public void Each_row_is_broken_by_a_mutation_that_its_test_must_notice()
    {
        List<Mutation> mutations = Read("smm.mutations");
        string[] broken = [.. mutations.SelectMany(m => m.Rows).Distinct()];
        Assert.Equal([], SemanticsRowsTests.Tested().Except(broken).ToArray());
        Assert.Equal([], mutations.SelectMany(m => m.Rows.Where(row => !m.Tests.Exists(t => $"{t.Method}_".Contains($"{row}_", StringComparison.Ordinal))).Select(row => $"{row}: {m.What}")).ToArray());
    }

    [Fact]
    public void What_a_mutation_replaces_is_there_once()
    {
        foreach (Mutation m in All())
        {
            string text = File.ReadAllText(Path.Combine(Repository.Root, m.File));
            Assert.True(m.Edits.Count != 0 && m.Edits.TrueForAll(e => e.Old != e.New), m.What);
            foreach ((string old, string replacement) in m.Edits)
            {
                int at = text.IndexOf(old, StringComparison.Ordinal);
                Assert.True(at >= 0 && text.IndexOf(old, at + 1, StringComparison.Ordinal) < 0, $"{m.What}: not once in {m.File}: {old}");
                text = text[..at] + replacement + text[(at + old.Length)..];
            }
        }
    }

    [Fact]
    public void The_tests_that_must_fail_exist()
    {
        foreach (Mutation m in All())
        {
            Assert.NotEmpty(m.Tests);
            foreach ((string project, string @class, string method) in m.Tests)
            {
                Assert.True(
                    Repository.Sources().Any(f => f.Path.StartsWith($"tests/{project}/", StringComparison.Ordinal) && f.Path.EndsWith($"/{@class}.cs", StringComparison.Ordinal)
                        && f.Text.Contains($"void {method}(", StringComparison.Ordinal)),
                    $"{m.What}: there is no {project}/{@class}.{method}");
            }
        }
    }

    private static IEnumerable<Mutation> All() => Directory.EnumerateFiles(Path.Combine(Repository.Root, "conformance"), "*.mutations").SelectMany(path => Read(Path.GetFileName(path)));

    private static List<Mutation> Read(string name)
    {
        List<Mutation> mutations = [];
        string? old = null;
        foreach (string line in File.ReadLines(Path.Combine(Repository.Root, "conformance", name)).Where(line => line.Length != 0 && line[0] != '#'))
        {
            if (Start().Match(line) is { Success: true } start)
            {
                mutations.Add(new Mutation(start.Groups[1].Value.Split(' '), start.Groups[2].Value, string.Empty, [], []));
            }
            else if (line.StartsWith("in ", StringComparison.Ordinal))
            {
                mutations[^1] = mutations[^1] with { File = line[3..] };
            }
            else if (line.StartsWith("- ", StringComparison.Ordinal))
            {
                old = line[2..];
            }
            else if (line[0] == '+')
            {
                Assert.NotNull(old);
                mutations[^1].Edits.Add((old, line.Length > 2 ? line[2..] : string.Empty));
                old = null;
            }
            else
            {
                Match test = Test().Match(line);
                Assert.True(test.Success, $"{name}: {line}");
                mutations[^1].Tests.Add((test.Groups[1].Value, test.Groups[2].Value, test.Groups[3].Value));
            }
        }

        Assert.NotEmpty(mutations);
        return mutations;
    }

    [GeneratedRegex("^break (.+?): (.+)$")]
    private static partial Regex Start();

    [GeneratedRegex(@"^fails ([\w.]+)/(\w+)\.(\w+)$")]
    private static partial Regex Test();
}
