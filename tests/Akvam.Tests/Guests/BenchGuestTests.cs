using System.Text;
using Akvam.Cli.Bench;
using Akvam.Machine;
using Akvam.Machine.Devices;
using Akvam.Machine.Loading;

namespace Akvam.Tests.Guests;

/// <summary>
/// The benchmark guests give the same checksums on every engine: a native twin is the same code on this machine's processor, and what needs privileges
/// has a result that can be worked out.
/// </summary>
public sealed class BenchGuestTests : IClassFixture<BuiltGuests>
{
    private const int Scale = 2;
    private const int DoneCode = (0x10 << 1) | 1;

    private readonly BenchGuests _guests;

    public BenchGuestTests(BuiltGuests built) => _guests = built.Guests;

    [Theory]
    [InlineData("int", 4)]
    [InlineData("mem", 6)]
    [InlineData("fp", 2)]
    [InlineData("call", 3)]
    [InlineData("loop", 5)]
    public async Task AGuestAgreesWithItsNativeTwin(string guest, int phases)
    {
        Dictionary<string, string> native = Sums(RunEngine("native", guest)!);
        Assert.Equal(phases, native.Count);
        Assert.Equal(native, Sums(await RunHere(guest)));
        if (RunEngine("tcg", guest) is { } other)
        {
            Assert.Equal(native, Sums(other));
        }
    }

    [Theory]
    [InlineData("mmu", 4)]
    [InlineData("sys", 2)]
    [InlineData("io", 4)]
    [InlineData("smc", 4)]
    [InlineData("smi", 1)]
    public async Task APrivilegedGuestGivesWhatItsLoopsAmountTo(string guest, int phases)
    {
        AkbRecorder run = await RunHere(guest);
        Assert.Equal(phases, run.Phases.Count);
        Dictionary<string, long> counts = run.Phases.ToDictionary(p => p.Phase, p => p.Count);
        Assert.Equal(run.Phases.ToDictionary(p => p.Phase, p => ExpectedSums.Of(p.Phase, counts).ToString("x16")), Sums(run));
        if (RunEngine("tcg", guest) is { } other)
        {
            Assert.Equal(Sums(run), Sums(other));
        }
    }

    [Fact]
    public async Task TheSmiHandlerRanWhereSmbasePoints() => Assert.Contains("info smbase=30000", (await RunHere("smi")).Notes);

    private static Dictionary<string, string> Sums(AkbRecorder run)
    {
        Assert.True(run.IsDone, "the guest did not say that it is done");
        Assert.False(run.HasTrapped, string.Join("; ", run.Notes));
        return run.Phases.ToDictionary(p => p.Phase, p => p.Sum);
    }

    /// <summary>Runs the guest on the machine of this process.</summary>
    private async Task<AkbRecorder> RunHere(string guest)
    {
        List<byte> output = [];
        using var pc = new Pc(new PcOptions { MemoryMegabytes = 256, SerialInput = new SerialQueue(), SerialOutput = output.Add });
        pc.Load(GuestImage.Open(_guests.Image(guest)), $"x scale={Scale}");
        pc.Start();
        MachineEnd end = await Task.Run(pc.Wait, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
        string text = Encoding.Latin1.GetString([.. output]);
        Assert.True((end.Kind, end.Code) == (MachineEndKind.DebugExit, DoneCode), $"{end.Kind} {end.Code} {end.Detail}\n{text}");
        var recorder = new AkbRecorder();
        foreach (string line in text.Split('\n'))
        {
            recorder.Take(line, null);
        }

        return recorder;
    }

    /// <summary>Runs the guest on another engine, or gives null where this machine has none.</summary>
    private AkbRecorder? RunEngine(string engine, string guest)
    {
        BenchEngine other = BenchEngine.Create(engine);
        if (other.Missing is not null || other.Command(_guests, guest, Scale) is not { } command)
        {
            return null;
        }

        AkbRecorder run = EngineRun.Run(command, out string? failure);
        Assert.Null(failure);
        return run;
    }
}
