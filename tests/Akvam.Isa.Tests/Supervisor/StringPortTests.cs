using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>INS and OUTS: how many elements go together, and where the instruction stands when something comes in between. [APM3 INS] [APM3 OUTS]</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class StringPortTests
{
    private const ulong Rip = 0xC000;
    private const byte Rep = 0xF3, Insb = 0x6C, Outsb = 0x6E, Outsw = 0x6F;

    private static TestMachine Machine(GuestMode mode, ulong count, ulong pointer, params byte[] code)
    {
        var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, mode, Rip);
        m.Memory.Slice((int)Rip, 64).Fill(0x90);
        code.CopyTo(m.Memory[(int)Rip..]);
        m.State->Gpr[Register.Rcx] = count;
        m.State->Gpr[Register.Rdi] = m.State->Gpr[Register.Rsi] = pointer;
        m.State->Gpr[Register.Rdx] = 0x70;
        return m;
    }

    private static void AssertAt(TestMachine m, ulong count, ulong pointer, ulong rip = Rip)
    {
        CpuState* s = m.State;
        Assert.Equal((count, pointer, rip), (s->Gpr[Register.Rcx], Math.Max(s->Gpr[Register.Rdi], s->Gpr[Register.Rsi]), s->Rip));
    }

    /// <summary>Answers the exit with bytes that count up.</summary>
    private static void Answer(TestMachine m, ref byte next)
    {
        foreach (ref byte b in m.Processor.Pending.Data)
        {
            b = next++;
        }

        m.Processor.Pending.Complete();
    }

    [Theory]
    [InlineData(GuestMode.Real)]
    [InlineData(GuestMode.Protected32)]
    [InlineData(GuestMode.Long)]
    public void User_space_gives_a_page_of_elements_at_a_time(GuestMode mode)
    {
        using TestMachine m = Machine(mode, 6, 0xEFFE, Rep, Insb);
        PendingAccess pending = m.Processor.Pending;
        byte next = 1;
        foreach (int count in new[] { 2, 4 })
        {
            Assert.Equal(RunResult.UserExit, m.Processor.Run(2));
            Assert.Equal((PendingKind.PortRead, 0x70ul, 1, count), (pending.Kind, pending.Address, pending.Size, pending.Count));
            Answer(m, ref next);
        }

        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        AssertAt(m, 0, 0xF004, Rip + 2);
        Assert.Equal([1, 2, 3, 4, 5, 6, 0], m.Memory.Slice(0xEFFE, 7).ToArray());
        Assert.Equal(1ul, m.State->Retired);
    }

    [Fact]
    public void At_most_a_kilobyte_at_a_time()
    {
        using TestMachine m = Machine(GuestMode.Long, 1500, 0x5000, Rep, Insb);
        byte next = 0;
        foreach (int count in new[] { 1024, 476 })
        {
            Assert.Equal(RunResult.UserExit, m.Processor.Run());
            Assert.Equal(count, m.Processor.Pending.Count);
            Answer(m, ref next);
        }
    }

    /// <summary>Downwards, with a trap after each element, or without REP there is one element.</summary>
    [Theory]
    [InlineData(Rflags.DF, 1)]
    [InlineData(Rflags.TF, 1)]
    [InlineData(0ul, 8)]
    public void Elements_that_are_looked_at_one_by_one(ulong flags, int count)
    {
        using TestMachine m = Machine(GuestMode.Long, 8, 0x5800, Rep, Outsb);
        m.State->SystemFlags |= flags;
        Assert.Equal(RunResult.UserExit, m.Processor.Run());
        Assert.Equal(count, m.Processor.Pending.Count);
        AssertAt(m, 8 - (ulong)count, flags == Rflags.DF ? 0x5800ul : 0x5800 + (ulong)count, count == 8 ? Rip + 2 : Rip);
    }

    [Fact]
    public void A_16_bit_pointer_wraps_between_two_elements()
    {
        // Not at 0: that page is never in the TLB, where elements that go together are looked up.
        using TestMachine m = Machine(GuestMode.Real, 4, 0xFFFE, Rep, Insb);
        m.State->Es.Base = 0x1_0000;
        byte next = 1;
        foreach (int count in new[] { 2, 2 })
        {
            Assert.Equal(RunResult.UserExit, m.Processor.Run(1));
            Assert.Equal(count, m.Processor.Pending.Count);
            Answer(m, ref next);
        }

        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        Assert.Equal([1, 2], m.Memory.Slice(0x1_FFFE, 2).ToArray());
        Assert.Equal([3, 4], m.Memory.Slice(0x1_0000, 2).ToArray());
        Assert.Equal(2ul, m.State->Gpr[Register.Rdi]);
    }

    [Fact]
    public void Written_elements_are_reported_together_in_order()
    {
        using TestMachine m = Machine(GuestMode.Long, 3, 0x5000, 0x66, Rep, Outsw);
        new byte[] { 1, 2, 3, 4, 5, 6 }.CopyTo(m.Memory[0x5000..]);
        Assert.Equal(RunResult.UserExit, m.Processor.Run());
        PendingAccess pending = m.Processor.Pending;
        Assert.Equal((PendingKind.PortWrite, 0x70ul, 2, 3), (pending.Kind, pending.Address, pending.Size, pending.Count));
        Assert.Equal([1, 2, 3, 4, 5, 6], pending.Data.ToArray());
        AssertAt(m, 0, 0x5006, Rip + 3);
        pending.Complete();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
    }

    [Fact]
    public void What_the_bus_takes_is_not_reported_and_what_follows_is()
    {
        using TestMachine m = Machine(GuestMode.Long, 5, 0x5000, Rep, Outsb);
        new byte[] { 1, 2, 3, 4, 5 }.CopyTo(m.Memory[0x5000..]);
        var taken = new List<uint>();
        m.Bus.PortWrite = (_, value) =>
        {
            if (taken.Count == 2)
            {
                return false;
            }

            taken.Add(value);
            return true;
        };
        Assert.Equal(RunResult.UserExit, m.Processor.Run());
        Assert.Equal([1u, 2u], taken);
        Assert.Equal([3, 4, 5], m.Processor.Pending.Data.ToArray());
    }

    /// <summary>The first page takes its elements, then the second one faults; the port was not read for it.</summary>
    [Fact]
    public void A_page_fault_stands_between_two_elements()
    {
        using TestMachine m = Machine(GuestMode.Long, 100, 0x1F_FFF0, Rep, Insb);
        ((ulong*)(m.Ram + ModeSetup.Tables + 0x2000))[1] = 0;
        uint reads = 0;
        m.Bus.PortRead = _ => ++reads;
        m.Processor.InterceptedExceptions = 1u << 14;
        Assert.Equal(RunResult.Debug, m.Processor.Run());
        Assert.Equal((Vector.PF, 0x20_0000ul), (m.State->Fault.Vector, m.State->Fault.Payload));
        AssertAt(m, 84, 0x20_0000);
        Assert.Equal(16u, reads);
        Assert.Equal(16, m.Ram[0x1F_FFFF]);
    }

    [Fact]
    public void A_request_stops_it_between_two_elements_and_it_goes_on_later()
    {
        using TestMachine m = Machine(GuestMode.Long, 100, 0x5000, Rep, Insb);
        uint reads = 0;
        m.Bus.PortRead = _ =>
        {
            if (++reads == 7)
            {
                Processor.Post(m.State, Request.Kick);
            }

            return reads;
        };
        Assert.Equal(RunResult.Kicked, m.Processor.Run());
        AssertAt(m, 93, 0x5007);
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        AssertAt(m, 0, 0x5064, Rip + 2);
        Assert.Equal((100u, 1ul), (reads, m.State->Retired));
    }

    [Fact]
    public void An_interrupt_comes_before_user_space_is_asked_again()
    {
        using TestMachine m = Machine(GuestMode.Long, 8, 0x5FFC, Rep, Insb);
        m.State->SystemFlags |= Rflags.IF;
        byte next = 1;
        Assert.Equal(RunResult.UserExit, m.Processor.Run());
        Assert.Equal(4, m.Processor.Pending.Count);
        Answer(m, ref next);
        m.Bus.Interrupts.Enqueue(0x40);
        Processor.Post(m.State, Request.Interrupt);
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(ModeSetup.Handlers + 0x40 + 1, m.State->Rip);
        Assert.Equal((4ul, 0x6000ul, Rip), (m.State->Gpr[Register.Rcx], m.State->Gpr[Register.Rdi], *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp])));
        Assert.Equal([1, 2, 3, 4], m.Memory.Slice(0x5FFC, 4).ToArray());
    }

    /// <summary>Its own second byte, INSB, becomes NOP while two elements are left.</summary>
    [Fact]
    public void Input_over_its_own_code_takes_effect()
    {
        using TestMachine m = Machine(GuestMode.Long, 4, Rip, Rep, Insb);
        var bytes = new Queue<uint>([0xF3, 0x90, 0xCC, 0xCC]);
        m.Bus.PortRead = _ => bytes.Dequeue();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        AssertAt(m, 2, Rip + 2, Rip + 2);
        Assert.Equal(2, bytes.Count);
    }
}
