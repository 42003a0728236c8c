using System.Text.RegularExpressions;
using Akvam.Tests.Architecture;

namespace Akvam.Tests.Smm;

/// <summary>
/// Each statement of the semantics sheet on SMM, shutdown and CPL is a test whose name has its number, or a documented choice, or is here with the reason why not.
/// </summary>
public sealed partial class SemanticsRowsTests
{
    private static readonly (string Prefix, int Count)[] s_rows = [("Seed0_", 20), ("Seed2_", 11), ("Seed3_", 9), ("Seed4_", 9), ("G", 31)];

    private static readonly Dictionary<string, string> s_untested = new()
    {
        ["Seed3_1"] = "needs VMX",
        ["Seed3_8"] = "an alternative that is not used",
        ["G3"] = "needs VMX",
        ["G19"] = "needs VMX",
        ["G21"] = "asynchronous page faults are not offered",
    };

    [Fact]
    public void Seed0_16_Seed2_7_Seed2_8_Seed2_10_differences_are_documented()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "smm.md"));
        foreach (string row in (string[])["0-16", "2-6", "2-7", "2-8", "2-10", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13", "D17"])
        {
            Assert.Matches($@"(?m)^\| {Regex.Escape(row)} \|([^|]*[^|\s][^|]*\|){{3}}$", text);
        }
    }

    [Fact]
    public void Every_row_has_a_test_or_a_reason()
    {
        HashSet<string> tested = [.. Repository.Sources().Where(f => f.Path.StartsWith("tests/", StringComparison.Ordinal)).SelectMany(f => TestName().Matches(f.Text))
            .SelectMany(name => Id().Matches(name.Groups[1].Value + "_")).Select(id => id.Groups[1].Value)];
        string[] all = [.. All()];
        Assert.Equal([], all.Where(id => !tested.Contains(id) && !s_untested.ContainsKey(id)).ToArray());
        Assert.Equal([], s_untested.Keys.Where(id => tested.Contains(id) || !all.Contains(id)).ToArray());
    }

    /// <summary>The numbers of all rows that a test holds.</summary>
    internal static IEnumerable<string> Tested() => All().Except(s_untested.Keys);

    private static IEnumerable<string> All() => s_rows.SelectMany(row => Enumerable.Range(1, row.Count).Select(n => row.Prefix + n));

    [GeneratedRegex(@"public (?:unsafe )?void ((?:Seed\d|G\d)\w+)\(")]
    private static partial Regex TestName();

    [GeneratedRegex(@"(?<![A-Za-z0-9])(Seed\d_\d+|G\d+)(?=_)")]
    private static partial Regex Id();
}
