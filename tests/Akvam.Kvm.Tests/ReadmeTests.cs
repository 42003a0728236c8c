namespace Akvam.KvmTests;

public sealed class ReadmeTests
{
    [Fact]
    public void The_code_in_the_README_is_the_code_that_is_tested()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Akvam.slnx")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("no Akvam.slnx above the test program");
        }

        string readme = File.ReadAllText(Path.Combine(root, "README.md"));
        int start = readme.IndexOf("```csharp\n", StringComparison.Ordinal) + "```csharp\n".Length;
        string[] shown = readme[start..readme.IndexOf("```", start, StringComparison.Ordinal)].Split('\n');
        var tested = File.ReadLines(Path.Combine(root, "tests/Akvam.Kvm.Tests/ReadmeExample.cs")).Select(line => line.Trim()).ToHashSet();
        Assert.True(shown.Length > 15);
        Assert.DoesNotContain(shown, line => line.Trim() is { Length: > 0 } code && code != "using Akvam;" && !tested.Contains(code));
    }
}
