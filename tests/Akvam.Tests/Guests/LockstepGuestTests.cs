using Akvam.Cli.Bench;
using Akvam.Cli.Checking;
using Akvam.Debugger.Lockstep;
using Akvam.Machine.Loading;

namespace Akvam.Tests.Guests;

/// <summary>Both engines on the same guests, instruction for instruction: <c>akvam check</c>.</summary>
public sealed class LockstepGuestTests : IClassFixture<BuiltGuests>
{
    private const int Megabytes = 256, Scale = 2;

    private readonly BenchGuests _guests;

    public LockstepGuestTests(BuiltGuests built) => _guests = built.Guests;

    [Theory]
    [InlineData("int")]
    [InlineData("mem")]
    [InlineData("fp")]
    [InlineData("call")]
    [InlineData("loop")]
    [InlineData("mmu")]
    [InlineData("sys")]
    [InlineData("io")]
    [InlineData("smc")]
    [InlineData("smi")]
    public void ABenchmarkGuestDoesTheSameOnBothEngines(string guest)
    {
        GuestImage image = GuestImage.Open(_guests.Image(guest));
        List<byte> output = [];
        LockstepResult result = new LockstepChecker(
            engine => new CheckedPc(engine, Megabytes, 1, null, engine == CheckedEngine.Subject ? output.Add : null, pc => pc.Load(image, $"x scale={Scale}")),
            new LockstepOptions()).Run();
        Assert.True(result.Differences.Count == 0, result.Report);
        Assert.Equal("debugexit 33", result.End);
        Assert.True(result.Instructions > 10_000, $"{result.Instructions} instructions");
        Assert.Contains("AKB done", System.Text.Encoding.Latin1.GetString([.. output]), StringComparison.Ordinal);
    }
}
