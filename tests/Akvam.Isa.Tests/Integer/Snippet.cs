using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>A few instructions, given as bytes, in a mode of choice; exceptions stop the run instead of being delivered.</summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class Snippet : IDisposable
{
    public const ulong Origin = 0xC000;
    private readonly TestMachine _machine = new(4 << 20);

    public Snippet(GuestMode mode, string code, ulong origin = Origin)
    {
        _machine.Processor.Cpuid.SetEntries(CpuidModel.Supported());
        ModeSetup.Enter(_machine, mode, origin);
        Convert.FromHexString(code).CopyTo(_machine.Memory[(int)origin..]);
        _machine.Processor.InterceptedExceptions = uint.MaxValue;
    }

    public CpuState* State => _machine.State;

    public byte* Ram => _machine.Ram;

    public ulong Flags
    {
        get => LazyFlags.Read(State);
        set => LazyFlags.Write(State, value);
    }

    public ref ulong this[int register] => ref State->Gpr[register];

    /// <summary>Executes instructions; the vector of the exception that stopped them, or null.</summary>
    public Vector? Run(int instructions = 1)
    {
        RunResult result;
        ulong end = State->Retired + (ulong)instructions;
        do
        {
            result = _machine.Processor.Run(end - State->Retired);
        }
        while (result == RunResult.Kicked);
        Assert.True(result is RunResult.Limit or RunResult.Debug, $"{result}");
        return result == RunResult.Debug ? State->Fault.Vector : null;
    }

    public void Dispose() => _machine.Dispose();
}
