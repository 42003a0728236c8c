namespace Akvam.Tests.Architecture;

/// <summary>Fails with every finding on its own line.</summary>
internal static class Violations
{
    public static void None(IEnumerable<string> violations)
    {
        string[] found = violations.ToArray();
        Assert.True(found.Length == 0, $"{found.Length} found:\n{string.Join('\n', found)}");
    }
}
