using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests;

public sealed unsafe class EngineTests
{
    [Fact]
    public void Stops_after_exactly_the_instructions_asked_for()
    {
        using var m = new TestMachine();
        m.Memory[0x1000..0x1100].Fill(0x40 /* never reached as such */);
        for (int n = 0; n < 100; n++)
        {
            // add ax, 1
            new byte[] { 0x83, 0xC0, 0x01 }.CopyTo(m.Memory[(0x1000 + (3 * n))..]);
        }

        m.RealMode(0x1000);
        Assert.Equal(RunResult.Limit, m.Processor.Run(77));
        Assert.Equal(77ul, m.State->Gpr[Register.Rax]);
        Assert.Equal(77ul, m.State->Retired);
        Assert.Equal(0x1000ul + (3 * 77), m.State->Rip);
    }

    [Fact]
    public void A_store_into_the_same_block_is_seen_by_the_next_instruction()
    {
        using var m = new TestMachine();

        // add byte [0x1008], 5 ; (1005) add ax, imm8 with the immediate at 1007… so place it exactly there
        byte[] code = [0x80, 0x06, 0x07, 0x10, 0x05, 0x83, 0xC0, 0x01, 0x83, 0xC0, 0x10];
        code.CopyTo(m.Memory[0x1000..]);
        m.RealMode(0x1000);
        m.Processor.Run(3);
        Assert.Equal(6ul + 0x10, m.State->Gpr[Register.Rax]);
    }

    /// <summary>SMM starts in 16-bit code with a CS limit of 4 GiB, and firmware leaves it by JMP r32. [SDM3 31.5.1]</summary>
    [Fact]
    public void Sixteen_bit_code_runs_above_64_KiB_when_the_limit_allows_it()
    {
        using var m = new TestMachine();
        byte[] jump = [0x66, 0xFF, 0xE5]; // jmp ebp
        byte[] target = [0x40, 0xF4];     // inc ax; hlt
        jump.CopyTo(m.Memory[0x1000..]);
        target.CopyTo(m.Memory[0x2_3456..]);
        m.RealMode(0x1000);
        m.State->Cs.Limit = uint.MaxValue;
        m.State->Gpr[Register.Rbp] = 0x2_3456;
        Processor.UpdateMode(m.State);
        Assert.Equal(RunResult.Limit, m.Processor.Run(2));
        Assert.Equal(0x2_3457ul, m.State->Rip);
        Assert.Equal(1ul, m.State->Gpr[Register.Rax]);
    }
}
