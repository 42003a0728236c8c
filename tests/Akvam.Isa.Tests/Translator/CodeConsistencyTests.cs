using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Cpu.Translator;

namespace Akvam.Isa.Tests.Translator;

/// <summary>The first places that code is taken from when there is no more room, looked at after every few instructions: what is left behind there is found before anybody goes astray by it.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class CodeConsistencyTests
{
    private static readonly CodeCacheSizes s_tiny = CodeCacheSizes.DividedBy(int.MaxValue);

    [Theory]
    [InlineData(true, true, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, true, true)]
    [InlineData(false, false, true)]
    public void What_is_kept_fits_together(bool littleHostCode, bool littleDecoded, bool changing)
    {
        const int Functions = 256, Programs = 4, Stops = 400, MostBetween = 60;
        CodeCacheSizes sizes = s_tiny with
        {
            Decoded = littleDecoded ? s_tiny.Decoded : 1 << 20,
            HostCode = littleHostCode ? s_tiny.HostCode : 4 << 20,
            Records = littleHostCode ? s_tiny.Records : 4 << 20,
            Pages = littleHostCode ? s_tiny.Pages : 1024,
        };
        for (int seed = 1; seed <= Programs; seed++)
        {
            using var m = new TestMachine(engine: EngineKind.Translator, caches: sizes);
            ModeSetup.Enter(m, GuestMode.Long, FunctionGenerator.Main);
            m.State->Gpr[Register.Rsp] = FunctionGenerator.Stack;
            var random = new Random(seed);
            new FunctionGenerator(random, Functions, often: 8, changing).Write(m.Memory);
            LockstepTests.FillRegisters(m.State, random);
            m.State->Gpr[Register.Rbp] = int.MaxValue;
            for (int n = 0; n < Stops; n++)
            {
                Assert.Equal(RunResult.Limit, m.Processor.Run((ulong)random.Next(1, MostBetween)));
                string? found = m.Processor.FindInconsistency();
                Assert.True(found == null, $"seed {seed}, stop {n}: {found}");
            }

            TranslatorStatistics statistics = m.Processor.TranslatorStatistics;
            Assert.Equal(littleHostCode, statistics.HostCodeEvictions.Regions != 0);
            Assert.Equal(littleDecoded, statistics.DecodedEvictions.Regions != 0);
        }
    }
}
