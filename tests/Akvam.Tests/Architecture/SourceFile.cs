namespace Akvam.Tests.Architecture;

/// <summary>A file of the working tree, or a made-up one that a rule is tried on.</summary>
internal sealed class SourceFile(string path, string text)
{
    private string? _code;

    /// <summary>Path from the root, with slashes.</summary>
    public string Path { get; } = path;

    public string Text { get; } = text;

    /// <summary>The text with comments and the contents of string and character literals blanked; line numbers stay.</summary>
    public string Code => _code ??= CodeText.Strip(Text);

    public string[] Lines => Text.Split('\n');

    public string[] CodeLines => Code.Split('\n');
}
