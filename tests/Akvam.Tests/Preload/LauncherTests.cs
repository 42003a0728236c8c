using Akvam.Tests.Architecture;

namespace Akvam.Tests.Preload;

/// <summary>What <c>./akvam exec</c> cannot serve is refused in one line that says why, before anything is built.</summary>
public sealed class LauncherTests
{
    private static readonly string s_launcher = Path.Combine(Repository.Root, "akvam");

    [Fact]
    public void StaticBinaryIsRefused()
    {
        using var client = new NativeClient("add", "-static");
        (int exitCode, string output) = NativeClient.Execute(s_launcher, ["exec", "--", client.Program]);
        Assert.Equal(2, exitCode);
        Assert.Equal($"akvam: cannot serve {client.Program}: it is a static binary, into which no library can be loaded; a dynamically linked build of it works.\n", output);
    }

    [Fact]
    public void OtherLoaderIsRefused()
    {
        using var client = new NativeClient("add", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1");
        (int exitCode, string output) = NativeClient.Execute(s_launcher, ["exec", client.Program]);
        Assert.Equal(2, exitCode);
        Assert.Contains("loaded by /lib/ld-musl-x86_64.so.1", output);
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void MissingProgramIsSaid() =>
        Assert.Equal((127, "akvam: no program 'no-such-client'.\n"), NativeClient.Execute(s_launcher, ["exec", "--", "no-such-client"]));

    [Fact]
    public void CommandIsNeeded() => Assert.Equal(2, NativeClient.Execute(s_launcher, ["exec", "--"]).ExitCode);
}
