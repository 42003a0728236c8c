using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Translator;

/// <summary>System instructions that have host code, or a short way to the interpreter, on both engines.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SystemCodeTests
{
    private const ulong Rip = 0x1_0000, Stack = 0x3_0000, EndOfMemory = 1 << 20;

    /// <summary>PUSHFQ with flags of all sorts, and in the middle of a block; MOV from all segment registers, to registers that are pinned and others.</summary>
    [Theory]
    [InlineData("04 31 9C 58 01 D8 9C 9C 5B 48 31 DA 41 5B FF C9 75 EE F4")]
    [InlineData("9C 48 FF C0 9C 11 C8 9C FD 9C FC 9C FF C9 75 F1 F4")]
    [InlineData("8C D8 8C D3 48 8C CA 8C C6 49 8C E3 41 8C EF 66 8C D8 49 8C DF 83 C0 07 9C FF C9 75 E1 F4")]
    [InlineData("FB 9C FA 9C FB 89 04 24 9C FB FB FA FF C9 75 F1 F4")]
    public void Flags_and_selectors_agree(string code)
    {
        using var both = new Lockstep();
        both.Set(m => Prepare(m, code));
        Assert.Null(both.Run(ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > 0, "nothing was translated");
        Assert.DoesNotContain(both.Translated.Processor.TranslatorStatistics.Interpreted, p => p.Key is "Pushfq" or "Mov_r32m16_Sreg" or "Mov_r64m16_Sreg" or "Sti");
    }

    /// <summary>User space is asked by the instruction behind STI, which is executed again with the answer: still shielded, if IF was clear before.</summary>
    [Theory]
    [InlineData("FB E4 80 F4", InterruptShadow.Sti)]
    [InlineData("FB 8B 07 F4", InterruptShadow.Sti)]
    [InlineData("FB 90 8B 07 F4", InterruptShadow.None)]
    [InlineData("FB FB 8B 07 F4", InterruptShadow.None)]
    public void An_exit_behind_STI_tells_of_the_shadow(string code, InterruptShadow expected)
    {
        foreach (EngineKind engine in (EngineKind[])[EngineKind.Interpreter, EngineKind.Translator])
        {
            using var m = new TestMachine(engine: engine);
            Prepare(m, code);
            m.State->Gpr[Register.Rdi] = EndOfMemory;
            Assert.Equal(RunResult.UserExit, m.Processor.Run());
            Assert.Equal((engine, expected), (engine, m.State->Shadow));
            m.Processor.Pending.Complete();
            Assert.Equal(RunResult.Halted, m.Processor.Run());
        }
    }

    private static void Prepare(TestMachine m, string code)
    {
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        m.State->Retired = 0;
        m.State->Gpr[Register.Rsp] = Stack;
        m.State->Gpr[Register.Rcx] = 50;
        Convert.FromHexString(code.Replace(" ", "", StringComparison.Ordinal)).CopyTo(m.Memory[(int)Rip..]);
    }
}
