using System.Globalization;
using Akvam.Debugger.Lockstep;

namespace Akvam.Tests.Debugger;

/// <summary>The lockstep checker finds nothing where nothing is, and whatever one of the machines is made to do wrong.</summary>
public sealed class LockstepCheckerTests
{
    private const ulong InstructionsOfFourRounds = (4 * (1 + 5000 + 1)) + (3 * 2);

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void TheEnginesDoTheSame(int every)
    {
        LockstepResult result = Check(null, every);
        Assert.Empty(result.Differences);
        Assert.Null(result.Report);
        Assert.Equal("done", result.End);
        Assert.Equal(InstructionsOfFourRounds, result.Instructions);
        Assert.True(result.Stops >= (every == 0 ? 7 : 200), $"{result.Stops} stops");
        Assert.Equal(1, result.MemoryComparisons);
    }

    /// <summary>A wrong constant in the host code of a block, from the third round on: found, and placed in that block.</summary>
    [Fact]
    public void AWrongTranslationIsFoundWithItsBlock()
    {
        LockstepResult result = Check((machine, round) =>
        {
            if (round == 2)
            {
                machine.BreakTranslation();
            }
        });
        Assert.Equal("rax", result.Differences[0].Field);
        string report = result.Report!;

        // Two rounds, the first block of the third, which has a turn of the loop and was interpreted, and then the loop's own block.
        string place = (((1 + 5000 + 1 + 2) * 2) + 6 + 5).ToString("N0", CultureInfo.InvariantCulture);
        Assert.Contains($"vCPU 0 differs after {place} instructions", report, StringComparison.Ordinal);
        Assert.Contains("5 of them since the last stop, where both stood at 1005.", report, StringComparison.Ordinal);
        Assert.Matches(@"\* rax ", report);
        Assert.Matches(@"  rcx ", report);
        Assert.Contains("block 1005 (64-bit, ", report, StringComparison.Ordinal);
        Assert.Matches("0000000000001005  0578563412 .* add +eax,0x12345678 +rax=", report);
    }

    [Fact]
    public void ChangedMemoryIsFoundThoughNobodyReadsIt()
    {
        LockstepResult result = Check((machine, round) =>
        {
            if (round == 3)
            {
                machine.BreakMemory();
            }
        });
        Assert.Equal(LoopMachine.Scratch + 0x100, Assert.Single(result.Differences).Address);
        Assert.Contains("memory 8100: interpreter 0000000000000000, translator 0000000000000001", result.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void ADeviceThatAnswersDifferentlyIsFound()
    {
        LockstepResult result = Check((machine, _) => machine.Input = 7);
        Assert.Equal(new Difference("exit", "in 11 size 1: 00", "in 11 size 1: 07"), Assert.Single(result.Differences));
    }

    [Fact]
    public void OtherOutputIsFound()
    {
        LockstepResult result = Check((machine, round) => machine.OutputHash = (ulong)(round / 2));
        Assert.Equal("output of devices", Assert.Single(result.Differences).Field);
    }

    [Fact]
    public void TheNumberOfInstructionsCanBeLimited()
    {
        var options = new LockstepOptions { MaximumInstructions = 5000 };
        LockstepResult result = new LockstepChecker(engine => new LoopMachine(engine), options).Run();
        Assert.Empty(result.Differences);
        Assert.Equal("the limit was reached", result.End);
        Assert.InRange(result.Instructions, 5000ul, InstructionsOfFourRounds - 1);
    }

    /// <param name="tamper">What happens to the translator's machine after each round.</param>
    /// <param name="every">As <see cref="LockstepOptions.Every"/>.</param>
    private static LockstepResult Check(Action<LoopMachine, int>? tamper, int every = 0) =>
        new LockstepChecker(engine => new LoopMachine(engine, engine == CheckedEngine.Subject ? tamper : null), new LockstepOptions { Every = (ulong)every }).Run();
}
