using System.Globalization;
using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests;

/// <summary>
/// Random bytes as code, with random registers, in every mode: whatever the guest does, the host process goes on and a run ends. AKVAM_FUZZ sets the number
/// of programs per mode (a long run: 100,000 and more), AKVAM_SEED the seed.
/// </summary>
/// <remarks>Valid for the life of the machine it makes.</remarks>
public sealed unsafe class FuzzCodeTests
{
    private const ulong Rip = 0x1_0000;

    public static TheoryData<EngineKind, GuestMode> Modes()
    {
        var data = new TheoryData<EngineKind, GuestMode>();
        foreach (GuestMode mode in Enum.GetValues<GuestMode>())
        {
            data.Add(EngineKind.Interpreter, mode);
            data.Add(EngineKind.Translator, mode);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Random_code_neither_crashes_nor_hangs(EngineKind engine, GuestMode mode)
    {
        int programs = Setting("AKVAM_FUZZ", 1500), first = Setting("AKVAM_SEED", 1);
        using var m = new TestMachine(engine: engine);
        m.Processor.Cpuid.SetEntries(CpuidModel.Supported());
        for (int n = 0; n < programs; n++)
        {
            int seed = first + (n * 11) + (int)mode;
            try
            {
                RunOne(m, mode, new Random(seed));
            }
            catch (Exception e)
            {
                Assert.Fail($"AKVAM_SEED={seed - (int)mode} {mode}: {e}");
            }
        }
    }

    private static void RunOne(TestMachine m, GuestMode mode, Random random)
    {
        m.Memory.Clear();
        ulong rip = mode is GuestMode.Real or GuestMode.BigReal or GuestMode.Virtual8086 or GuestMode.Protected16 or GuestMode.Compatibility16 ? 0xC000 : Rip;
        ModeSetup.Enter(m, mode, rip);
        random.NextBytes(m.Memory.Slice((int)rip, 512));
        CpuState* s = m.State;
        for (int r = 0; r < 16; r++)
        {
            if (r != Register.Rsp)
            {
                s->Gpr[r] = random.Next(3) switch { 0 => (ulong)random.Next(0, 0x10_0000), 1 => (ulong)random.NextInt64(long.MinValue, long.MaxValue), _ => (ulong)random.Next(-100, 100) };
            }
        }

        for (int exits = 0; exits < 20; exits++)
        {
            RunResult result = m.Processor.Run(300);
            switch (result)
            {
                case RunResult.UserExit:
                    m.Processor.Pending.Complete();
                    break;
                case RunResult.Kicked:
                    break;
                case RunResult.Halted or RunResult.Waiting or RunResult.Shutdown or RunResult.NoCode or RunResult.Limit:
                    m.Processor.Pending.Clear();
                    return;
                default:
                    Assert.Fail($"unexpected {result}");
                    break;
            }
        }

        m.Processor.Pending.Clear();
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;
}
