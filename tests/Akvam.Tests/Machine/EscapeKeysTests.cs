using Akvam.Cli.Terminal;

namespace Akvam.Tests.Machine;

public sealed class EscapeKeysTests
{
    private readonly EscapeKeys _keys = new();

    [Theory]
    [InlineData("ls\r", "Send Send Send")]
    [InlineData("\u0001x", "None Quit")]
    [InlineData("\u0001\u0001x", "None SendEscape Send")]
    [InlineData("\u0001h", "None Help")]
    [InlineData("\u0001r", "None Report")]
    [InlineData("\u0001zx", "None None Send")]
    [InlineData("\u0003\u001A", "Send Send")]
    public void KeysMeanWhatTheHelpSays(string typed, string actions)
    {
        Assert.Equal(actions, string.Join(' ', typed.Select(c => _keys.Next((byte)c))));
    }
}
