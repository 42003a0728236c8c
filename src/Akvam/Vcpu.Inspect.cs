using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>What debuggers look at.</content>
public sealed unsafe partial class Vcpu
{
    private const int LongestInstruction = 15;

    /// <summary>With interrupt controllers of the library, <see cref="Run"/> normally sleeps while the processor is halted or waits for another. Set: it returns KVM_EXIT_HLT.</summary>
    public bool LeavesWhenIdle { get; set; }

    /// <summary>With the translator as the engine <see cref="Run"/> returns KVM_EXIT_INTR after each piece of code that the engine executes in one go.</summary>
    public bool StopsAfterBlock
    {
        get => _processor.StopsAfterBlock;
        set => _processor.StopsAfterBlock = value;
    }

    /// <summary>Linear address of the next instruction.</summary>
    public ulong NextLinear
    {
        get
        {
            lock (_gate)
            {
                CpuState* s = State();
                return (s->Mode & ModeKey.Code64) != 0 ? s->Rip : (uint)(s->Rip + s->CodeBase);
            }
        }
    }

    /// <summary>The instruction at <see cref="NextLinear"/>, as far as its pages are mapped. The guest sees nothing of it.</summary>
    public InstructionView NextInstruction()
    {
        ulong linear = NextLinear;
        lock (_gate)
        {
            CpuState* s = State();
            Span<byte> bytes = stackalloc byte[LongestInstruction];
            int count = _processor.ReadCode(bytes);
            int bitness = (s->Mode & ModeKey.BitnessMask) switch { ModeKey.Code64 => 64, ModeKey.Code32 => 32, _ => 16 };
            return CodeListing.Describe(bytes[..count], linear, bitness, out int length) is { } text
                ? new InstructionView(linear, length, text)
                : new InstructionView(linear, 0, "no code");
        }
    }

    /// <summary>Guest and host code of the translation that starts at a linear address, or null; <see cref="VmOptions.KeepTranslations"/> has to be set.</summary>
    public string? DescribeTranslation(ulong linear)
    {
        lock (_gate)
        {
            return _observers?.Store?.Describe(linear);
        }
    }
}
