using Akvam.Cpu;
using Akvam.Cpu.State;
using static Akvam.Cpu.PendingKind;

namespace Akvam.Isa.Tests.Engine;

/// <summary>Instructions that need user space's answer: what is asked, in which order, and that each access happens once. [KVM 5: KVM_EXIT_MMIO, KVM_EXIT_IO]</summary>
/// <remarks>Valid for the machines it makes. Memory ends at 4 MiB; above is MMIO.</remarks>
public sealed unsafe class PendingAccessTests
{
    private const ulong Origin = 0xC000, Mmio = 0x100_0000, End = 0x40_0000;

    [Theory]
    [InlineData("8B07", "R1000000:4")]
    [InlineData("8907", "W1000000:4=44332211")]
    [InlineData("8307 05", "R1000000:4 W1000000:4=A5A4A3A7")]
    [InlineData("F08307 05", "R1000000:4 W1000000:4=A5A4A3A7")]
    [InlineData("FE07", "R1000000:1 W1000000:1=A3")]
    [InlineData("8707", "R1000000:4 W1000000:4=44332211")]
    [InlineData("0FC107", "R1000000:4 W1000000:4=E9D7C5B3")]
    [InlineData("0FBA2F00", "R1000000:4 W1000000:4=A5A4A3A3")]
    [InlineData("0F1007", "R1000000:8 R1000008:8")]
    [InlineData("0F1107", "W1000000:8=0 W1000008:8=0")]
    [InlineData("FF37", "R1000000:8")]
    [InlineData("8F07", "W1000000:8=77")]
    [InlineData("A4", "R1000000:1 W1000000:1=A2")]
    [InlineData("A7", "R1000000:4 R1000000:4")]
    [InlineData("F3A4", "R1000000:1 W1000000:1=A2 R1000001:1 W1000001:1=A3 R1000002:1 W1000002:1=A4")]
    [InlineData("F3AB", "W1000000:4=44332211 W1000004:4=44332211 W1000008:4=44332211")]
    [InlineData("6C", "I1234:1 W1000000:1=36")]
    [InlineData("F36D", "I1234:4 W1000000:4=39383736 I1234:4 W1000004:4=3A393837 I1234:4 W1000008:4=3B3A3938")]
    [InlineData("F36E", "R1000000:1 O1234:1=A2 R1000001:1 O1234:1=A3 R1000002:1 O1234:1=A4")]
    [InlineData("ED", "I1234:4")]
    [InlineData("EF", "O1234:4=44332211")]
    public void Accesses_are_asked_for_once_and_in_order(string code, string expected)
    {
        using TestMachine m = Machine(code);
        m.State->Gpr[Register.Rdi] = m.State->Gpr[Register.Rsi] = Mmio;
        string log = Serve(m);
        Assert.Equal(expected, log);
        Assert.Equal(1ul, m.State->Retired);
        Assert.False(m.Processor.Pending.HasWork || m.Processor.Pending.IsReplay);
    }

    /// <summary>IRET of 16 bits asks for one part of its frame after the other, not for what is behind one that it has not got.</summary>
    [Fact]
    public void A_frame_outside_memory()
    {
        using TestMachine m = Machine("");
        ModeSetup.Enter(m, GuestMode.Real, Origin);
        m.State->Retired = 0;
        m.Memory[(int)Origin] = 0xCF;
        m.State->Ss.Base = Mmio;
        m.State->Gpr[Register.Rsp] = 0;
        ControlRegisters.Reloaded(m.State);
        Assert.Equal("R1000000:2 R1000002:2 R1000004:2", Serve(m));
        Assert.Equal((0xA3A2ul, 0xA5A4, 6ul), (m.State->Rip, m.State->Cs.Selector, m.State->Gpr[Register.Rsp]));
    }

    [Theory]
    [InlineData("8B07", "R400000:2")]
    [InlineData("8907", "W400000:2=4433")]
    [InlineData("8307 05", "R400000:2 W400000:2=A3A2")]
    [InlineData("488B07", "R400000:6")]
    public void Half_in_memory_half_outside(string code, string expected)
    {
        using TestMachine m = Machine(code);
        m.State->Gpr[Register.Rdi] = End - 2;
        *(ushort*)(m.Ram + End - 2) = 0x0201;
        Assert.Equal(expected, Serve(m));
        switch (code)
        {
            case "8B07":
                Assert.Equal(0xA3A2_0201ul, m.State->Gpr[Register.Rax]);
                break;
            case "488B07":
                Assert.Equal(0xA7A6_A5A4_A3A2_0201ul, m.State->Gpr[Register.Rax]);
                break;
            case "8907":
                Assert.Equal(0x2211, *(ushort*)(m.Ram + End - 2));
                break;
            default:
                Assert.Equal(0x0206, *(ushort*)(m.Ram + End - 2));
                break;
        }
    }

    [Fact]
    public void Repeated_input_gets_a_new_answer_for_each_element()
    {
        using TestMachine m = Machine("F36C");
        m.State->Gpr[Register.Rcx] = 20;
        m.State->Gpr[Register.Rdi] = 0x2_0000;

        // One by one, because the port is watched after each.
        m.State->Dr7 |= 1;
        Serve(m);
        Assert.Equal(Enumerable.Range(0x36, 20).Select(n => (byte)n), m.Memory.Slice(0x2_0000, 20).ToArray());
        Assert.Equal((0ul, 0x2_0014ul), (m.State->Gpr[Register.Rcx], m.State->Gpr[Register.Rdi]));
    }

    [Fact]
    public void Repeated_output_is_stopped_and_continued_between_two_pages()
    {
        using TestMachine m = Machine("F36E");
        m.State->Gpr[Register.Rcx] = 3;
        m.State->Gpr[Register.Rsi] = 0x2_0FFF;
        m.Memory[0x2_0FFF] = 0x61;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(1));
        Assert.Equal((PortWrite, 0x61ul, 2ul, Origin), (m.Processor.Pending.Kind, m.Processor.Pending.Value, m.State->Gpr[Register.Rcx], m.State->Rip));
        m.Processor.Pending.Complete();

        // An interrupt between two elements returns to the instruction, and the registers say how far it got.
        m.State->SystemFlags |= Rflags.IF;
        m.Bus.Interrupts.Enqueue(0x50);
        Processor.Post(m.State, Request.Interrupt);
        Assert.Equal(RunResult.Halted, m.Processor.Run(10));
        Assert.Equal(Origin, *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp]));
        Assert.Equal(2ul, m.State->Gpr[Register.Rcx]);
    }

    [Fact]
    public void An_interrupt_waits_until_the_answered_read_is_used()
    {
        using TestMachine m = Machine("8B07");
        m.State->Gpr[Register.Rdi] = Mmio;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        m.Processor.Pending.Value = 0x99;
        m.Processor.Pending.Complete();
        m.State->NmiPending = 1;
        Assert.Equal(RunResult.Halted, m.Processor.Run(10));
        Assert.Equal(0x99ul, m.State->Gpr[Register.Rax]);
        Assert.Equal(Origin + 2, *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp]));
    }

    [Fact]
    public void Writes_of_one_instruction_come_before_what_follows_it()
    {
        using TestMachine m = Machine("8907FFC0");
        m.State->Gpr[Register.Rdi] = Mmio;
        m.State->Gpr[Register.Rax] = 1;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        Assert.Equal((1ul, Origin + 2), (m.State->Gpr[Register.Rax], m.State->Rip));
    }

    [Fact]
    public void A_delivery_that_needs_user_space_is_resumed_with_its_answers()
    {
        // The IDT lies in MMIO: both halves of the gate are asked for before the handler runs. [KVM 5]
        using TestMachine m = Machine("0F0B");
        m.State->IdtBase = Mmio;
        var gates = new Dictionary<ulong, ulong>();
        for (ulong n = 0; n < 16; n += 8)
        {
            gates[Mmio + (6 * 16) + n] = *(ulong*)(m.Ram + ModeSetup.Idt + (6 * 16) + n);
        }

        int asked = 0;
        RunResult result;
        while ((result = m.Processor.Run(10)) == RunResult.UserExit)
        {
            PendingAccess p = m.Processor.Pending;
            Assert.Equal(MmioRead, p.Kind);
            ulong whole = gates[p.Address & ~7ul] >> (int)(8 * (p.Address & 7));
            p.Value = p.Size == 8 ? whole : whole & ((1ul << (8 * p.Size)) - 1);
            p.Complete();
            Assert.InRange(++asked, 1, 8);
        }

        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(ModeSetup.Handlers + 7, m.State->Rip);
        Assert.Equal(Origin, *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp]));
    }

    [Fact]
    public void Code_outside_memory_ends_the_run_there()
    {
        using TestMachine m = Machine("FFE7");
        m.State->Gpr[Register.Rdi] = Mmio;
        Assert.Equal(RunResult.NoCode, m.Processor.Run(10));
        Assert.Equal(Mmio, m.State->Rip);
        m.State->Rip = End - 2;
        m.Memory[(int)End - 2] = 0x90;
        m.Memory[(int)End - 1] = 0xB8;
        Assert.Equal(RunResult.NoCode, m.Processor.Run(10));
        Assert.Equal(End - 1, m.State->Rip);
    }

    private static TestMachine Machine(string code)
    {
        var m = new TestMachine((int)End);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        Convert.FromHexString(code.Replace(" ", string.Empty, StringComparison.Ordinal)).CopyTo(m.Memory[(int)Origin..]);
        m.State->Gpr[Register.Rax] = 0x4433_2211;
        m.State->Gpr[Register.Rcx] = 3;
        m.State->Gpr[Register.Rdx] = 0x1234;
        *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp]) = 0x77;
        m.State->Retired = 0;
        return m;
    }

    /// <summary>Runs one instruction to its end and writes down what it asks. MMIO bytes are A2h plus the low address bits; port bytes count up from 36h.</summary>
    private static string Serve(TestMachine m)
    {
        var log = new List<string>();
        byte port = 0x36;
        RunResult result;
        while ((result = m.Processor.Run(1 - m.State->Retired)) is RunResult.UserExit or RunResult.Kicked || m.State->Retired == 0 || m.Processor.Pending.HasWork)
        {
            Assert.InRange(log.Count, 0, 100);
            if (result != RunResult.UserExit)
            {
                continue;
            }

            PendingAccess p = m.Processor.Pending;
            string text = $"{p.Kind switch { MmioRead => 'R', MmioWrite => 'W', PortRead => 'I', _ => 'O' }}{p.Address:x}:{p.Size}";
            if (p.Kind is MmioRead or PortRead)
            {
                for (int n = 0; n < p.Size; n++)
                {
                    p.Data[n] = p.Kind == PortRead ? (byte)(port + n) : (byte)(0xA2 + (int)(p.Address & 15) + n);
                }

                port++;
            }
            else
            {
                text += $"={p.Value:X}";
            }

            log.Add(text);
            p.Complete();
        }

        Assert.Equal(RunResult.Limit, result);
        return string.Join(' ', log);
    }
}
