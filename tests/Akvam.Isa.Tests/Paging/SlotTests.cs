using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Memory slots that go, move, become read-only or are logged between two runs, and the two address spaces. [KVM 4.35] [KVM 4.8]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SlotTests
{
    private const ulong Kernel = 0xC000, Extra = 0x1000_0000;

    [Fact]
    public void A_slot_that_moves_or_goes_is_noticed()
    {
        using TestMachine m = Machine();
        byte* host = (byte*)NativeMemory.AlignedAlloc(0x2000, 4096);
        new Span<byte>(host, 0x1000).Fill(1);
        new Span<byte>(host + 0x1000, 0x1000).Fill(2);
        PhysicalMemory memory = m.Processor.Group.Memory;
        memory.SetSlot(0, 7, Extra, 0x1000, host, false, false);
        Assert.Equal((RunResult.Limit, 1), Read(m));
        memory.SetSlot(0, 7, Extra, 0x1000, host + 0x1000, false, false);
        Assert.Equal((RunResult.Limit, 2), Read(m));
        memory.SetSlot(0, 7, 0, 0, null, false, false);
        Assert.Equal(RunResult.UserExit, Read(m).Result);
        Assert.Equal((PendingKind.MmioRead, Extra), (m.Processor.Pending.Kind, m.Processor.Pending.Address));
        m.Processor.Pending.Clear();
        memory.SetSlot(0, 7, Extra, 0x1000, host, true, false);
        Assert.Equal((RunResult.Limit, 1), Read(m));
        Assert.Equal(RunResult.UserExit, Write(m));
        Assert.Equal((PendingKind.MmioWrite, Extra, 0x55ul), (m.Processor.Pending.Kind, m.Processor.Pending.Address, m.Processor.Pending.Value));
        m.Processor.Pending.Complete();
        Assert.Equal(1, host[0]);
        memory.SetSlot(0, 7, Extra, 0x1000, host, false, false);
        Assert.Equal(RunResult.Limit, Write(m));
        Assert.Equal(0x55, host[0]);
        NativeMemory.AlignedFree(host);
    }

    [Fact]
    public void The_log_holds_what_was_written_and_starts_again_when_cleared()
    {
        using TestMachine m = Machine();
        byte* host = (byte*)NativeMemory.AlignedAlloc(0x3000, 4096);
        new Span<byte>(host, 0x3000).Clear();
        PhysicalMemory memory = m.Processor.Group.Memory;
        memory.SetSlot(0, 7, Extra, 0x3000, host, false, true);
        ulong[] log = new ulong[1];
        Read(m);
        memory.CopyDirty(0, 7, log, true);
        Assert.Equal(0ul, log[0]);
        for (int n = 0; n < 3; n++)
        {
            Assert.Equal(RunResult.Limit, Write(m));
            memory.CopyDirty(0, 7, log, false);
            Assert.Equal(1ul, log[0]);
            memory.CopyDirty(0, 7, log, true);
            Assert.Equal(1ul, log[0]);
        }

        memory.CopyDirty(0, 7, log, true);
        Assert.Equal(0ul, log[0]);

        // Over a boundary, by a device, and by the page walker.
        Assert.Equal(RunResult.Limit, Write(m, 0xFFF, "668907"));
        Assert.True(memory.Write(0, Extra + 0x2000, [1]));
        memory.CopyDirty(0, 7, log, true);
        Assert.Equal(7ul, log[0]);
        *(ulong*)(host + 0x1000) = 0x83;
        *(ulong*)(m.Ram + ModeSetup.Tables + 0x1008) = (Extra + 0x1000) | 3;
        m.State->Gpr[Register.Rdi] = 0x4000_0000;
        Assert.Equal(RunResult.Limit, Execute(m, "8A07"));
        memory.CopyDirty(0, 7, log, true);
        Assert.Equal(2ul, log[0]);
        memory.MarkDirty(0, 7, [5]);
        memory.ClearDirty(0, 7, 0, [4]);
        memory.CopyDirty(0, 7, log, false);
        Assert.Equal(1ul, log[0]);
        NativeMemory.AlignedFree(host);
    }

    [Fact]
    public void Writes_next_to_code_are_logged_too()
    {
        using TestMachine m = Machine();
        byte* host = (byte*)NativeMemory.AlignedAlloc(0x1000, 4096);
        new Span<byte>(host, 0x1000).Fill(0x90);
        PhysicalMemory memory = m.Processor.Group.Memory;
        memory.SetSlot(0, 7, Extra, 0x1000, host, false, true);
        m.State->Rip = Extra + 0x100;
        Assert.Equal(RunResult.Limit, m.Processor.Run(5));
        ulong[] log = new ulong[1];
        for (int n = 0; n < 3; n++)
        {
            memory.CopyDirty(0, 7, log, true);
            Assert.Equal(n == 0 ? 0ul : 1, log[0]);
            Assert.Equal(RunResult.Limit, Write(m, 8));
        }

        NativeMemory.AlignedFree(host);
    }

    [Fact]
    public void Processors_in_smm_see_the_other_address_space()
    {
        using TestMachine m = Machine();
        PhysicalMemory memory = m.Processor.Group.Memory;
        memory.SetSlot(1, 1, 0, 0x5_0000, m.Ram, false, false);
        memory.SetSlot(1, 2, 0x5_0000, 0x1000, m.Ram + 0x6_0000, false, false);
        m.Ram[0x5_0000] = 1;
        m.Ram[0x6_0000] = 2;
        for (int turn = 0; turn < 6; turn++)
        {
            m.State->InSmm = (byte)(turn & 1);
            Processor.UpdateMode(m.State);
            m.State->Gpr[Register.Rdi] = 0x5_0000;
            Assert.Equal(RunResult.Limit, Execute(m, "8A07"));
            Assert.Equal((ulong)(turn & 1) + 1, m.State->Gpr[Register.Rax] & 0xFF);
        }

        Assert.Equal(RunResult.UserExit, Execute(m, "8A87" + "00000200"));
        m.Processor.Pending.Clear();
    }

    private static TestMachine Machine()
    {
        var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Kernel);
        return m;
    }

    private static RunResult Execute(TestMachine m, string code)
    {
        Convert.FromHexString(code).CopyTo(m.Memory[(int)Kernel..]);
        m.State->Rip = Kernel;
        RunResult result = m.Processor.Run(1);

        // A posted write is reported before the next instruction.
        return result == RunResult.Limit && m.Processor.Pending.HasWork ? m.Processor.Run(1) : result;
    }

    private static (RunResult Result, int Value) Read(TestMachine m)
    {
        m.State->Gpr[Register.Rdi] = Extra;
        RunResult result = Execute(m, "8A07");
        return (result, (byte)m.State->Gpr[Register.Rax]);
    }

    private static RunResult Write(TestMachine m, ulong offset = 0, string code = "8807")
    {
        m.State->Gpr[Register.Rdi] = Extra + offset;
        m.State->Gpr[Register.Rax] = 0x55;
        return Execute(m, code);
    }
}
