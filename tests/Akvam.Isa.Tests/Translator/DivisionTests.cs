using Akvam.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Host code divides what the host can divide without #DE, with flags unchanged, and faults where the interpreter does.</summary>
public sealed unsafe class DivisionTests
{
    private const ulong Rip = 0x1_0000, Data = 0x4_0000;

    private static readonly ulong[] s_values =
        [0, 1, 2, 3, 10, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF, 0x1_0000_0000, 0x1234_5678_9ABC_DEF0, long.MaxValue, 0x8000_0000_0000_0000, ulong.MaxValue - 1, ulong.MaxValue];

    /// <summary>The divisor in a register of the host, in one that is in memory, and in memory.</summary>
    [Theory]
    [InlineData(Code.Div_rm32, 3)]
    [InlineData(Code.Div_rm32, 12)]
    [InlineData(Code.Div_rm32, -1)]
    [InlineData(Code.Div_rm64, 3)]
    [InlineData(Code.Div_rm64, 12)]
    [InlineData(Code.Div_rm64, -1)]
    [InlineData(Code.Idiv_rm32, 3)]
    [InlineData(Code.Idiv_rm32, 12)]
    [InlineData(Code.Idiv_rm32, -1)]
    [InlineData(Code.Idiv_rm64, 3)]
    [InlineData(Code.Idiv_rm64, 12)]
    [InlineData(Code.Idiv_rm64, -1)]
    public void Extreme_operands(Code code, int register)
    {
        bool wide = code is Code.Div_rm64 or Code.Idiv_rm64;
        byte[] program = Assemble.Code64(Rip, a =>
        {
            a.mov(esi, 1);

            // Flags that stay, deferred and not.
            a.cmp(rdi, rsi);
            a.AddInstruction(register < 0
                ? Instruction.Create(code, new MemoryOperand(Iced.Intel.Register.RBP, 8, 8))
                : Instruction.Create(code, (wide ? Iced.Intel.Register.RAX : Iced.Intel.Register.EAX) + register));
            a.adc(r8, 0);
            a.hlt();
        });
        using var both = new Lockstep();
        both.Set(m => program.CopyTo(m.Memory[(int)Rip..]));
        int divided = 0, all = 0;
        foreach (ulong high in s_values)
        {
            foreach (ulong low in s_values)
            {
                foreach (ulong divisor in s_values)
                {
                    both.Set(m => Load(m, high, low, divisor, register));
                    Assert.True(both.Run(1000, out RunResult result) is not { } difference, $"{high:x}:{low:x} by {divisor:x}");
                    Assert.Equal(RunResult.Halted, result);
                    divided += both.Translated.State->Rip == Rip + (ulong)program.Length ? 1 : 0;
                    all++;
                }
            }
        }

        Assert.InRange(divided, all / 20, all * 9 / 10);
        Assert.DoesNotContain(both.Translated.Processor.TranslatorStatistics.Interpreted, p => p.Key == code.ToString());
    }

    [Theory]
    [InlineData(Register.Rdx)]
    [InlineData(Register.Rax)]
    [InlineData(Register.Rsp)]
    public void The_dividend_or_the_stack_pointer_is_the_divisor(int register)
    {
        foreach (Code code in (Code[])[Code.Div_rm32, Code.Div_rm64, Code.Idiv_rm32, Code.Idiv_rm64])
        {
            bool wide = code is Code.Div_rm64 or Code.Idiv_rm64;
            byte[] program = Assemble.Code64(Rip, a =>
            {
                a.push(rdi);
                a.AddInstruction(Instruction.Create(code, (wide ? Iced.Intel.Register.RAX : Iced.Intel.Register.EAX) + register));
                a.pop(rdi);
                a.hlt();
            });
            using var both = new Lockstep();
            both.Set(m => program.CopyTo(m.Memory[(int)Rip..]));
            foreach (ulong low in s_values)
            {
                foreach (ulong high in (ulong[])[0, 1, ulong.MaxValue])
                {
                    both.Set(m => Load(m, high, low, 0, -1));
                    Assert.True(both.Run(1000, out _) is not { } difference, $"{code}: {high:x}:{low:x}");
                }
            }
        }
    }

    private static void Load(TestMachine m, ulong high, ulong low, ulong divisor, int register)
    {
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        m.State->Retired = 0;
        m.State->Gpr[Register.Rsp] = 0x7000;
        m.State->Gpr[Register.Rdx] = high;
        m.State->Gpr[Register.Rax] = low;
        m.State->Gpr[Register.Rbp] = Data;
        m.State->Gpr[Register.Rdi] = low ^ high;
        m.State->Gpr[8] = 0;
        if (register >= 0)
        {
            m.State->Gpr[register] = divisor;
        }

        BitConverter.TryWriteBytes(m.Memory[((int)Data + 8)..], divisor);
    }
}
