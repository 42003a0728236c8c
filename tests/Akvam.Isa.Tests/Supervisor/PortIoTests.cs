using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>Ports that user space serves, and who may use them.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class PortIoTests
{
    private static TestMachine Machine(GuestMode mode, params byte[] code)
    {
        var m = new TestMachine();
        ModeSetup.Enter(m, mode, 0xC000);
        m.Memory.Slice(0xC000, 64).Fill(0x90);
        code.CopyTo(m.Memory[0xC000..]);
        return m;
    }

    [Fact]
    public void IN_waits_for_user_space_and_completes_with_its_data()
    {
        // in al, 42h
        using TestMachine m = Machine(GuestMode.Real, 0xE4, 0x42);
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        PendingAccess pending = m.Processor.Pending;
        Assert.Equal((PendingKind.PortRead, 0x42ul, 1), (pending.Kind, pending.Address, pending.Size));
        Assert.Equal(0xC000ul, m.State->Rip);
        pending.Data[0] = 0x99;
        pending.Complete();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        Assert.Equal(0x99ul, m.State->Gpr[Register.Rax]);
        Assert.Equal(0xC002ul, m.State->Rip);
        Assert.False(pending.IsReplay);
    }

    [Fact]
    public void OUT_completes_first_and_exits_before_the_next_instruction()
    {
        // mov dx, 3F8h; out dx, eax
        using TestMachine m = Machine(GuestMode.Real, 0xBA, 0xF8, 0x03, 0x66, 0xEF);
        m.State->Gpr[Register.Rax] = 0x1234_5678;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        PendingAccess pending = m.Processor.Pending;
        Assert.Equal((PendingKind.PortWrite, 0x3F8ul, 4), (pending.Kind, pending.Address, pending.Size));
        Assert.Equal([0x78, 0x56, 0x34, 0x12], pending.Data.ToArray());
        Assert.Equal(0xC005ul, m.State->Rip);
        Assert.Equal(2ul, m.State->Retired);
        pending.Complete();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
    }

    [Theory]
    [InlineData(0x00, true)]
    [InlineData(0x04, false)]
    [InlineData(0x08, false)]
    public void The_TSS_bitmap_rules_above_IOPL(byte bits, bool allowed)
    {
        // in ax, 0Ah: bits 2 and 3 of the second byte
        using TestMachine m = Machine(GuestMode.LongUser, 0x66, 0xE5, 0x0A);
        m.Memory[(int)ModeSetup.Tss + 0x68 + 1] = bits;
        m.Processor.InterceptedExceptions = 1u << 13;
        RunResult result = m.Processor.Run(1);
        Assert.Equal(allowed ? RunResult.UserExit : RunResult.Debug, result);
    }

    [Fact]
    public void Without_a_bitmap_ports_are_privileged_and_IOPL_opens_them()
    {
        using TestMachine m = Machine(GuestMode.LongUser, 0xE4, 0x0A);
        m.Processor.InterceptedExceptions = 1u << 13;
        m.State->Tr.Limit = 0x67;
        Assert.Equal(RunResult.Debug, m.Processor.Run(1));
        Assert.Equal(Vector.GP, m.State->Fault.Vector);
        m.State->SystemFlags |= Rflags.IOPL;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(1));
    }

    [Fact]
    public void MMIO_wider_than_8_bytes_is_split_and_reads_are_replayed_in_order()
    {
        // push qword [rbx] from MMIO, then mov [rbx], rax to it
        using TestMachine m = Machine(GuestMode.Long, 0xFF, 0x33, 0x48, 0x89, 0x03);
        m.State->Gpr[Register.Rbx] = 0x20_0000;
        m.State->Gpr[Register.Rax] = 0x1122_3344_5566_7788;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        PendingAccess pending = m.Processor.Pending;
        Assert.Equal((PendingKind.MmioRead, 0x20_0000ul, 8), (pending.Kind, pending.Address, pending.Size));
        pending.Value = 0xCAFE_F00D_1234_5678;
        pending.Complete();
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        Assert.Equal(0xCAFE_F00D_1234_5678ul, *(ulong*)(m.Ram + 0x6FF8));
        Assert.Equal((PendingKind.MmioWrite, 0x1122_3344_5566_7788ul), (pending.Kind, pending.Value));
        pending.Complete();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
    }

    [Theory]
    [InlineData(0x5658, true, true)]
    [InlineData(0x5659, true, true)]
    [InlineData(0x565A, true, false)]
    [InlineData(0x5658, false, false)]
    public void The_VMware_backdoor_is_open_to_programs_where_it_is_offered(ushort port, bool offered, bool open)
    {
        // in eax, dx
        using TestMachine m = Machine(GuestMode.LongUser, 0xED);
        m.Processor.InterceptedExceptions = uint.MaxValue;
        m.Processor.Quirks |= offered ? ProcessorQuirks.VmwareBackdoor : 0;
        m.State->Tr.Limit = 0x67;
        m.State->Gpr[Register.Rdx] = port;
        Assert.Equal(open ? RunResult.UserExit : RunResult.Debug, m.Processor.Run(10));
    }

    [Fact]
    public void An_answer_ends_IN_even_when_user_space_has_changed_DX()
    {
        // in eax, dx
        using TestMachine m = Machine(GuestMode.Long, 0xED);
        m.State->Gpr[Register.Rdx] = 0x5658;
        Assert.Equal(RunResult.UserExit, m.Processor.Run(10));
        m.State->Gpr[Register.Rdx] = 0x1234_0000;
        m.Processor.Pending.Value = 0x77;
        m.Processor.Pending.Complete();
        Assert.Equal(RunResult.Limit, m.Processor.Run(1));
        Assert.Equal((0x77ul, 0x1234_0000ul, 0xC001ul), (m.State->Gpr[Register.Rax], m.State->Gpr[Register.Rdx], m.State->Rip));
    }
}
