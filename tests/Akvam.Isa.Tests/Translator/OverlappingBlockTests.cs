using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Cpu.Translator;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>How often the same instructions are translated: blocks that go on behind conditional jumps have what others begin with.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class OverlappingBlockTests
{
    private const ulong Rip = 0x1_0000, Function = 0x2_0000, Stack = 0x9_0000;

    /// <summary>Jumps to the next instruction, or over one: where each of them leads to, a block begins. All of these are not to go on to the end.</summary>
    [Theory]
    [InlineData(GuestMode.Real, false)]
    [InlineData(GuestMode.Real, true)]
    [InlineData(GuestMode.Protected32, false)]
    [InlineData(GuestMode.Protected32, true)]
    [InlineData(GuestMode.Long, false)]
    [InlineData(GuestMode.Long, true)]
    public void Short_jumps(GuestMode mode, bool over)
    {
        const int Jumps = 100, Rounds = 1000;
        int instructions = 4 + (Jumps * (over ? 5 : 4));
        ulong start = mode == GuestMode.Real ? 0x100 : Rip;
        byte[] code = Assemble.Bytes(mode == GuestMode.Real ? 16 : mode == GuestMode.Long ? 64 : 32, start, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, Rounds);
            a.Label(ref again);
            for (int n = 0; n < Jumps; n++)
            {
                Label next = a.CreateLabel();
                a.rol(eax, 5);
                a.add(eax, 0x5DEE_CE65);
                switch (n % 4)
                {
                    case 0:
                        a.jb(next);
                        break;
                    case 1:
                        a.js(next);
                        break;
                    case 2:
                        a.jno(next);
                        break;
                    default:
                        a.jle(next);
                        break;
                }

                if (over)
                {
                    a.rol(edx, 3);
                }

                a.Label(ref next);
                a.sub(edx, eax);
            }

            a.dec(ecx);
            a.jne(again);
            a.hlt();
        });
        using var both = new Lockstep(new CodeCacheSizes());
        both.Translated.Processor.TranslateAfter = Processor.DefaultTranslateAfter;
        both.Set(m =>
        {
            ModeSetup.Enter(m, mode, start);
            m.State->Retired = 0;
            if (mode == GuestMode.Real)
            {
                m.State->Cs.Base = Rip - start;
                m.State->Cs.Selector = (ushort)((Rip - start) >> 4);
                ControlRegisters.Reloaded(m.State);
            }

            m.State->Gpr[Register.Rax] = 12345;
            code.CopyTo(m.Memory[(int)Rip..]);
        });
        Assert.Null(both.Run(ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        TranslatorStatistics statistics = both.Translated.Processor.TranslatorStatistics;
        Assert.True(statistics.Cold < (long)both.Translated.State->Retired / 10, $"{statistics.Cold} instructions were interpreted");

        // Once as a block and in two others, and more for the blocks of those who jump over the first instruction. Without a bound it is 9 to 14 times.
        Assert.InRange(statistics.Instructions, instructions, instructions * 4);
    }

    /// <summary>A block that goes on with another one is dropped again and again, as its code changes. The other one stays, and is gone on with each time.</summary>
    [Fact]
    public void What_is_in_no_other_block_any_more()
    {
        const int Rounds = 20, Calls = 40, First = 4, Second = 4;
        using var both = new Lockstep(new CodeCacheSizes());
        both.Translated.Processor.TranslateAfter = Processor.DefaultTranslateAfter;
        both.Set(m =>
        {
            ModeSetup.Enter(m, GuestMode.Long, Rip);
            m.State->Retired = 0;
            m.State->Gpr[Register.Rsp] = Stack;
            Assemble.Code64(Rip, a =>
            {
                Label again = a.CreateLabel(), call = a.CreateLabel();
                a.mov(ebp, Rounds);
                a.Label(ref again);
                a.mov(__dword_ptr[Function + 1], ebp);
                a.mov(ebx, Calls);
                a.Label(ref call);
                a.call(Function);
                a.dec(ebx);
                a.jnz(call);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            }).CopyTo(m.Memory[(int)Rip..]);
            Assemble.Code64(Function, a =>
            {
                Label end = a.CreateLabel();
                a.mov(eax, 0x1234_5678);
                a.add(rdx, rax);
                a.test(ebp, ebp);
                a.jz(end);
                a.inc(rcx);
                a.add(rsi, rcx);
                a.xor(rdi, rsi);
                a.Label(ref end);
                a.ret();
            }).CopyTo(m.Memory[(int)Function..]);
        });
        Assert.Null(both.Run(ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.InRange(both.Translated.Processor.TranslatorStatistics.Instructions, Rounds * (First + Second), (Rounds * (First + Second)) + 50);
    }
}
