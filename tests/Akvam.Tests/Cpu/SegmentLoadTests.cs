using Akvam.Cpu.Flags;
using Akvam.Cpu.State;
using static Akvam.Tests.Cpu.SystemMachine;

namespace Akvam.Tests.Cpu;

/// <summary>Loads of segment registers and questions about selectors. [SDM2 MOV] [SDM3 5.6, 5.7]</summary>
public sealed unsafe class SegmentLoadTests
{
    private const byte MovDs = 0xD8, MovSs = 0xD0;

    [Theory]
    [InlineData(0, MovDs, Code0, -1, 0u)] // readable code
    [InlineData(0, MovDs, 0, -1, 0u)]
    [InlineData(0, MovSs, 0, 13, 0u)]
    [InlineData(0, MovDs, 0x1F8, 13, 0x1F8u)]
    [InlineData(0, MovDs, ExecuteOnly, 13, (uint)ExecuteOnly)]
    [InlineData(0, MovDs, TssSelector, 13, (uint)TssSelector)]
    [InlineData(0, MovDs, AbsentData, 11, (uint)AbsentData)]
    [InlineData(0, MovSs, AbsentData, 12, (uint)AbsentData)]
    [InlineData(0, MovSs, ReadOnly, 13, (uint)ReadOnly)]
    [InlineData(0, MovSs, Data3, 13, 0x20u)]
    [InlineData(0, MovSs, Data0 | 3, 13, (uint)Data0)]
    [InlineData(0, MovDs, Data0 | 3, 13, (uint)Data0)] // RPL above DPL
    [InlineData(3, MovDs, Data0, 13, (uint)Data0)] // CPL above DPL
    [InlineData(3, MovDs, Conforming, -1, 0u)]
    [InlineData(0, MovDs, 0x0C, 13, 0x0Cu)] // null LDT
    public void Checks(int cpl, int register, int selector, int vector, uint error)
    {
        using SystemMachine m = Protected(cpl);
        SegmentRegister before = register == MovSs ? m.State->Ss : m.State->Ds;
        m.State->Gpr[Register.Rax] = (ulong)selector;
        m.Run(1, 0x8E, (byte)register);
        if (vector >= 0)
        {
            m.AssertFault(vector, error);
            SegmentRegister after = register == MovSs ? m.State->Ss : m.State->Ds;
            Assert.Equal(cpl == 0 ? before.Selector : after.Selector, after.Selector);
        }
        else
        {
            Assert.Equal((ulong)Code + 2, m.State->Rip);
            Assert.Equal(selector, m.State->Ds.Selector);
            Assert.Equal(selector == 0 ? 1 : 0, m.State->Ds.Unusable);
        }
    }

    /// <summary>Any use of a null segment is #GP(0). [APM2 4.5.1]</summary>
    [Fact]
    public void Null_segment_cannot_be_used()
    {
        using SystemMachine m = Protected();
        m.Run(2, 0x8E, 0xD8, 0xA0, 0, 0, 0, 0);
        m.Processor.Run(1);
        m.AssertFault(13, 0, Code + 2);
    }

    [Fact]
    public void Accessed_bit_is_set_in_the_table()
    {
        using SystemMachine m = Protected();
        m.SetDescriptor(Data0, Segment(0, 0xFFFFF, 0x92, 0xC));
        m.State->Gpr[Register.Rax] = Data0;
        m.Run(1, 0x8E, MovDs);
        Assert.Equal(0x93, m.Memory[Gdt + Data0 + 5]);
        Assert.Equal(3, m.State->Ds.Type);
    }

    /// <summary>64-bit mode takes a null SS below CPL 3 when RPL is CPL. [SDM2 MOV]</summary>
    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(0, 1, false)]
    [InlineData(3, 3, false)]
    public void Null_stack_in_64_bit_mode(int cpl, int selector, bool good)
    {
        using SystemMachine m = Long(cpl);
        m.State->Gpr[Register.Rax] = (ulong)selector;
        m.Run(1, 0x8E, MovSs);
        if (good)
        {
            Assert.Equal((ulong)Code + 2, m.State->Rip);
            Assert.Equal(1, m.State->Ss.Unusable);
        }
        else
        {
            m.AssertFault(13, 0);
        }
    }

    /// <summary>No interrupt between MOV SS and the next instruction. [SDM3 6.8.3]</summary>
    [Fact]
    public void Shadow_after_mov_ss()
    {
        using SystemMachine m = Protected();
        m.State->SystemFlags |= Rflags.IF;
        m.State->Gpr[Register.Rax] = Data0;
        m.Run(1, 0x8E, MovSs, 0x90, 0x90);
        m.Bus.Interrupts.Enqueue(0x50);
        Akvam.Cpu.Processor.Post(m.State, Request.Interrupt);
        m.Processor.Run(1);
        m.AssertFault(0x50, null, Code + 3);
    }

    /// <summary>POP DS that faults leaves SP alone. [APM3 POP]</summary>
    [Fact]
    public void Pop_that_faults_leaves_the_stack()
    {
        using SystemMachine m = Protected(3);
        m.Write32(Stack, Data0);
        m.Run(1, 0x1F);
        m.AssertFault(13, Data0);
        Assert.Equal((uint)Stack, m.Slot32(4));
    }

    /// <summary>LSS loads both or neither. [APM3 LSS]</summary>
    [Theory]
    [InlineData(Data0, true)]
    [InlineData(Data3, false)]
    public void Load_far_pointer(int selector, bool good)
    {
        using SystemMachine m = Protected();
        m.Write32(0x500, 0x4444);
        m.Write16(0x504, selector);

        // lss esp, [500h]
        m.Run(1, 0x0F, 0xB2, 0x25, 0x00, 0x05, 0, 0);
        if (good)
        {
            Assert.Equal(0x4444ul, m.Rsp);
        }
        else
        {
            m.AssertFault(13, 0x20);
            Assert.Equal((ulong)Stack - 16, m.Rsp);
        }
    }

    /// <summary>LLDT, then a segment of the LDT; LTR makes the TSS busy and refuses a busy one. [SDM2 LLDT] [SDM2 LTR]</summary>
    [Fact]
    public void Local_table_and_task_register()
    {
        using SystemMachine m = Protected();
        m.Write64(Ldt + 8, Segment(0x1000, 0xFF, 0x93, 0));
        m.State->Gpr[Register.Rax] = LdtSelector;
        m.State->Gpr[Register.Rcx] = 0x0C;
        m.State->Gpr[Register.Rdx] = OtherTssSelector;
        m.Run(3, 0x0F, 0x00, 0xD0, 0x8E, 0xC1, 0x0F, 0x00, 0xDA, 0x0F, 0x00, 0xDA);
        Assert.Equal(0x1000ul, m.State->Es.Base);
        Assert.Equal(0xFFu, m.State->Es.Limit);
        Assert.Equal(OtherTssSelector, m.State->Tr.Selector);
        Assert.Equal(0x8B, m.Memory[Gdt + OtherTssSelector + 5]);
        m.Processor.Run(1);
        m.AssertFault(13, OtherTssSelector, Code + 8);
    }

    /// <summary>Long mode: 16 bytes of TSS descriptor, whose base is 64 bits wide. [APM2 4.8.3]</summary>
    [Fact]
    public void Wide_task_register()
    {
        using SystemMachine m = Long();
        m.SetDescriptor(Tss64, Segment(0x7654_3210, 0x67, 0x89, 0));
        m.Write64(Gdt + Tss64 + 8, 0xFFFF_8000);
        m.State->Gpr[Register.Rax] = Tss64;
        m.Run(1, 0x0F, 0x00, 0xD8);
        Assert.Equal(0xFFFF_8000_7654_3210, m.State->Tr.Base);
    }

    /// <summary>LAR, LSL, VERR and VERW answer in ZF. [APM3 LAR] [APM3 LSL] [APM3 VERR]</summary>
    [Theory]
    [InlineData(3, 0x02, Data0, false, 0u)] // lar: not visible
    [InlineData(0, 0x02, Data0, true, 0xCF_9300u)]
    [InlineData(0, 0x03, SmallCode, true, 0xFFu)]
    [InlineData(0, 0x03, Data0, true, uint.MaxValue)]
    [InlineData(0, 0x02, 0x1F8, false, 0u)]
    [InlineData(0, 0x02, 0, false, 0u)]
    [InlineData(3, 0x02, Conforming, true, 0xCF_9F00u)]
    public void Access_rights_and_limits(int cpl, int opcode, int selector, bool good, uint value)
    {
        using SystemMachine m = Protected(cpl);
        m.State->Gpr[Register.Rcx] = (ulong)selector;
        m.Run(1, 0x0F, (byte)opcode, 0xC1);
        Assert.Equal((ulong)Code + 3, m.State->Rip);
        Assert.Equal(good, LazyFlags.Zf(m.State));
        Assert.Equal(value, m.State->Gpr[Register.Rax]);
    }

    [Theory]
    [InlineData(0xE1, ReadOnly, true)] // verr
    [InlineData(0xE9, ReadOnly, false)] // verw
    [InlineData(0xE1, ExecuteOnly, false)]
    [InlineData(0xE9, Data0, true)]
    public void Verify(int modrm, int selector, bool good)
    {
        using SystemMachine m = Protected();
        m.State->Gpr[Register.Rcx] = (ulong)selector;
        m.Run(1, 0x0F, 0x00, (byte)modrm);
        Assert.Equal(good, LazyFlags.Zf(m.State));
    }

    [Fact]
    public void Tables_are_stored_and_loaded()
    {
        using SystemMachine m = Protected();

        // sgdt [500h]; lidt [500h]
        m.Run(2, 0x0F, 0x01, 0x05, 0x00, 0x05, 0, 0, 0x0F, 0x01, 0x1D, 0x00, 0x05, 0, 0);
        Assert.Equal((ulong)Gdt, m.State->IdtBase);
        Assert.Equal(0xDF, m.State->IdtLimit);
    }
}
