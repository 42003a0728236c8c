namespace Akvam.KvmTests.Running;

public sealed class ReadmeExampleRuns
{
    [Fact]
    public void TheSumReachesThePort() => Assert.Equal(1234u, ReadmeExample.Run());
}
