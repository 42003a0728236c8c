namespace Akvam.Tests.Preload;

/// <summary>Unmodified KVM clients in C. Each checks itself and says on standard error what is wrong.</summary>
public sealed class ClientTests
{
    [Theory]
    [InlineData("add")]
    [InlineData("badargs")]
    [InlineData("signals")]
    [InlineData("fork")]
    [InlineData("cpuid")]
    [InlineData("fuzz")]
    public void ClientIsContent(string name)
    {
        using var client = new NativeClient(name);
        Assert.Equal((0, ""), client.Run());
    }
}
