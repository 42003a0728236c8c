using Akvam.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Blocks that go on behind conditional jumps: left in the middle by the jump, a fault, a limit or a change of their code.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SideExitTests
{
    private const ulong Rip = 0x1_0000, Data = 0x2_0000, Stack = 0x9_0000;

    /// <summary>Flags that come from comparisons, from memory, from bit tests and from shifts are right wherever the block is left.</summary>
    [Fact]
    public void Stopped_at_every_instruction()
    {
        byte[] code = Assemble(a =>
        {
            Label again = a.CreateLabel(), one = a.CreateLabel(), two = a.CreateLabel(), three = a.CreateLabel();
            a.mov(ecx, 24);
            a.Label(ref again);
            a.mov(eax, ecx);
            a.and(eax, 7);
            a.cmp(eax, 3);
            a.je(one);
            a.add(rdx, rax);
            a.cmp(__qword_ptr[rdi + (rcx * 8)], 2);
            a.ja(two);
            a.push(rdx);
            a.mov(r12, rcx);
            a.push(rcx);
            a.inc(r8);
            a.pop(r9);
            a.pop(r13);
            a.bt(ecx, 1);
            a.jb(three);
            a.adc(rbx, 5);
            a.shl(rbx, 3);
            a.js(one);
            a.lea(r10, __[rbx + rcx]);
            a.jo(two);
            a.sub(r11, r10);
            a.Label(ref one);
            a.sbb(r9, rcx);
            a.mov(__[rdi + (rcx * 8)], r9);
            a.jp(three);
            a.Label(ref two);
            a.adc(r10, 1);
            a.neg(rdx);
            a.Label(ref three);
            a.setb(al);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        using var both = new Lockstep();
        for (ulong limit = 1; limit < 500; limit++)
        {
            string? difference = Run(both, code, limit, out _);
            Assert.True(difference == null, $"after {limit}: {difference}");
        }
    }

    /// <summary>An access behind jumps that are not taken faults: its address is not canonical.</summary>
    [Fact]
    public void A_fault_behind_a_jump()
    {
        byte[] code = Assemble(a =>
        {
            Label again = a.CreateLabel(), out_ = a.CreateLabel();
            a.mov(ecx, 50);
            a.mov(r9, 1L << 60);
            a.Label(ref again);
            a.sub(rsi, 3);
            a.jz(out_);
            a.cmp(ecx, 20);
            a.cmove(r8, r9);
            a.lea(rdi, __[rdi + (r8 * 8)]);
            a.cmp(rcx, rsi);
            a.je(out_);
            a.add(__[rdi], rcx);
            a.dec(ecx);
            a.jnz(again);
            a.Label(ref out_);
            a.hlt();
        });
        using var both = new Lockstep();
        Assert.Null(Run(both, code, ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.InRange(both.Translated.State->Rip, ModeSetup.Handlers, Rip);
        Assert.Equal(20ul, both.Translated.State->Gpr[Register.Rcx]);
    }

    /// <summary>A store changes what is behind a jump in its own block.</summary>
    [Fact]
    public void Code_behind_a_jump_changes()
    {
        byte[] code = Assemble(a =>
        {
            Label again = a.CreateLabel(), end = a.CreateLabel(), target = a.CreateLabel();
            a.mov(ecx, 40);
            a.Label(ref again);
            a.test(ecx, 3);
            a.jz(end);
            a.lea(r8, __[target]);
            a.mov(__[r8 + 1], ecx);
            a.cmp(ecx, 100);
            a.ja(end);
            a.Label(ref target);
            a.mov(eax, 0x12345678);
            a.add(rbx, rax);
            a.Label(ref end);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        using var both = new Lockstep();
        Assert.Null(Run(both, code, ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(600ul, both.Translated.State->Gpr[Register.Rbx]);
    }

    /// <summary>One block has the whole loop, jumps over parts of it included.</summary>
    [Fact]
    public void Few_blocks()
    {
        byte[] code = Assemble(a =>
        {
            Label again = a.CreateLabel(), skip = a.CreateLabel();
            a.mov(ecx, 1000);
            a.Label(ref again);
            a.add(rax, rcx);
            a.js(skip);
            a.add(rbx, rax);
            a.js(skip);
            a.inc(rdx);
            a.Label(ref skip);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        using var both = new Lockstep();
        Assert.Null(Run(both, code, ulong.MaxValue, out _));
        Assert.InRange(both.Translated.Processor.TranslatorStatistics.Blocks, 1, 3);
    }

    /// <summary>PUSHFQ at the start of a loop pushes the flags that the end of it left; behind the first instruction that writes flags, that instruction's.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Flags_that_a_loop_pushes(int place)
    {
        byte[] code = Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 300);
            a.Label(ref again);
            for (int n = 0; n < 3; n++)
            {
                if (n == place)
                {
                    a.pushfq();
                    a.pop(rax);
                }

                switch (n)
                {
                    case 0:
                        a.lea(r10, __[r10 + (r10 * 2) + 1]);
                        break;
                    case 1:
                        a.add(r10, rax);
                        break;
                    default:
                        a.sub(ecx, 1);
                        break;
                }
            }

            a.jnz(again);
            a.hlt();
        });
        using var both = new Lockstep();
        Assert.Null(Run(both, code, ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.True(both.Translated.Processor.TranslatorStatistics.Cold < 100, "the loop was not translated");
    }

    private static byte[] Assemble(Action<Assembler> write)
    {
        var a = new Assembler(64);
        write(a);
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        return writer.Bytes;
    }

    private static string? Run(Lockstep both, byte[] code, ulong limit, out RunResult result)
    {
        both.Set(m =>
        {
            ModeSetup.Enter(m, GuestMode.Long, Rip);
            m.Memory.Slice((int)Data, 4096).Clear();
            m.State->Retired = 0;
            m.State->Gpr[Register.Rsp] = Stack;
            m.State->Gpr[Register.Rdi] = Data;
            code.CopyTo(m.Memory[(int)Rip..]);
        });
        return both.Run(limit, out result);
    }
}
