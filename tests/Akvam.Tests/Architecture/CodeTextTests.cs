namespace Akvam.Tests.Architecture;

/// <summary>The rules below are only as good as the text they see.</summary>
public sealed class CodeTextTests
{
    [Theory]
    [InlineData("a // unsafe", "a          ")]
    [InlineData("a /* unsafe\nb */ c", "a          \n     c")]
    [InlineData("x = \"unsafe \\\" {\"; y", "x =              ; y")]
    [InlineData("x = @\"a\"\"b{\"; y", "x =         ; y")]
    [InlineData("x = $\"{f(\"}\")} {{\"; y", "x =               ; y")]
    [InlineData("x = '{'; y", "x =    ; y")]
    [InlineData("x = '\\''; y", "x =     ; y")]
    [InlineData("x = \"\"\"\n { \" }\n\"\"\"; y", "x =    \n      \n   ; y")]
    [InlineData("@base = 1; $y", "@base = 1; $y")]
    public void Comments_and_literals_are_blanked(string text, string code) => Assert.Equal(code, CodeText.Strip(text));
}
