using System.Runtime.InteropServices;
using Akvam.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Engine;

/// <summary>Code that changes code, in one run: the next instruction executed is the new one. [SDM3 11.6] [APM2 7.6.1]</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SelfModifyingTests
{
    private const ulong Origin = 0xC000;

    [Fact]
    public void A_store_changes_the_immediate_of_the_next_instruction()
    {
        // The immediate lies behind the store itself: mov byte [rip], 7 is followed by add eax, imm8.
        Assert.Equal(7ul, Run("31C0C6050200000007" + "83C001F4"));
        Assert.Equal(2ul, Run("31C0FE0502000000" + "83C001F4"));
        Assert.Equal(2ul, Run("31C0F0FE0502000000" + "83C001F4"));
    }

    [Fact]
    public void A_push_changes_the_next_instruction()
    {
        ulong rax = Run(Assemble.Code64(Origin, c =>
        {
            Label next = c.CreateLabel();
            c.xor(eax, eax);
            c.mov(rbx, BitConverter.ToUInt64(Convert.FromHexString("83C02090909090F4")));
            c.lea(rsp, __[next]);
            c.add(rsp, 8);
            c.push(rbx);
            c.Label(ref next);
            c.add(eax, 1);
            c.nop();
            c.nop();
            c.nop();
            c.nop();
            c.nop();
        }));
        Assert.Equal(0x20ul, rax);
    }

    [Fact]
    public void Rep_movs_changes_the_code_behind_it()
    {
        ulong rax = Run(Assemble.Code64(Origin, c =>
        {
            Label next = c.CreateLabel(), source = c.CreateLabel();
            c.xor(eax, eax);
            c.lea(rsi, __[source]);
            c.lea(rdi, __[next]);
            c.mov(ecx, 3);
            c.rep.movsb();
            c.Label(ref next);
            c.add(eax, 1);
            c.hlt();
            c.Label(ref source);
            c.add(eax, 0x55);
        }));
        Assert.Equal(0x55ul, rax);
    }

    [Fact]
    public void Vector_stores_change_code()
    {
        ulong rax = Run(Assemble.Code64(Origin, c =>
        {
            Label next = c.CreateLabel(), source = c.CreateLabel();
            c.xor(eax, eax);
            c.movups(xmm0, __[source]);
            c.movups(__[next], xmm0);
            c.Label(ref next);
            c.add(eax, 1);
            c.hlt();
            c.db(Convert.FromHexString("90909090909090909090909090"));
            c.Label(ref source);
            c.add(eax, 0x33);
            c.hlt();
            c.db(Convert.FromHexString("9090909090909090909090909090"));
        }));
        Assert.Equal(0x33ul, rax);
    }

    [Fact]
    public void A_loop_that_counts_its_own_immediate_up()
    {
        // add eax, n with n = 1…100, in the block that changes it, and data of the same page next to it.
        ulong rax = Run(Assemble.Code64(Origin, c =>
        {
            Label loop = c.CreateLabel(), patched = c.CreateLabel(), data = c.CreateLabel();
            c.xor(eax, eax);
            c.mov(ecx, 100);
            c.lea(rdi, __[patched]);
            c.Label(ref loop);
            c.inc(__dword_ptr[data]);
            c.inc(__byte_ptr[rdi + 2]);
            c.Label(ref patched);
            c.db(0x83, 0xC0, 0);
            c.dec(ecx);
            c.jnz(loop);
            c.mov(ebx, __dword_ptr[data]);
            c.hlt();
            c.Label(ref data);
            c.dd(0u);
        }), out TestMachine m);
        using (m)
        {
            Assert.Equal(100ul, m.State->Gpr[Register.Rbx]);
        }

        Assert.Equal(5050ul, rax);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void The_second_page_of_an_instruction_may_change(int inFirst)
    {
        // mov ebx, imm32 over the boundary; its last byte is counted up in a loop.
        ulong at = 0xD000 - (ulong)inFirst;
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        byte[] code = Assemble.Code64(Origin, c =>
        {
            c.xor(eax, eax);
            c.mov(ecx, 50);
            c.mov(rdi, at);
            c.mov(rsi, 0xD100);
            c.jmp(rdi);
        });
        code.CopyTo(m.Memory[(int)Origin..]);
        byte[] body = Assemble.Code64(at, c =>
        {
            Label again = c.CreateLabel();
            c.mov(ebx, 0);
            c.shr(ebx, 24);
            c.add(eax, ebx);
            c.inc(__byte_ptr[rdi + 4]);
            c.dec(ecx);
            c.jz(again);
            c.jmp(rdi);
            c.Label(ref again);
            c.hlt();
        });
        body.CopyTo(m.Memory[(int)at..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(1000));
        Assert.Equal(49ul * 50 / 2, m.State->Gpr[Register.Rax]);
    }

    [Fact]
    public void Code_written_through_another_linear_address_is_seen()
    {
        // 2 MiB at linear 20_0000 shows the same memory as linear 0.
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        *(ulong*)(m.Ram + ModeSetup.Tables + 0x2008) = 0x87;
        byte[] code = Assemble.Code64(Origin, c =>
        {
            Label next = c.CreateLabel();
            c.xor(eax, eax);
            c.lea(rdi, __[next]);
            c.mov(__byte_ptr[rdi + 0x20_0002], 9);
            c.Label(ref next);
            c.db(0x83, 0xC0, 1);
            c.hlt();
        });
        code.CopyTo(m.Memory[(int)Origin..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(100));
        Assert.Equal(9ul, m.State->Gpr[Register.Rax]);
    }

    [Fact]
    public void A_device_that_writes_code_inside_the_run_is_seen()
    {
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        m.Bus.PortWrite = (port, value) =>
        {
            Assert.True(m.Processor.Group.Memory.Write(0, value, [0x77]));
            return true;
        };
        byte[] code = Assemble.Code64(Origin, c =>
        {
            Label patched = c.CreateLabel();
            c.mov(ecx, 2);
            c.Label(ref patched);
            c.mov(ebx, 1);
            c.lea(eax, __[patched]);
            c.inc(eax);
            c.@out(0x80, eax);
            c.dec(ecx);
            c.jnz(patched);
            c.hlt();
        });
        code.CopyTo(m.Memory[(int)Origin..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(100));
        Assert.Equal(0x77ul, m.State->Gpr[Register.Rbx]);
    }

    [Fact]
    public void Memory_changed_behind_our_back_is_seen_by_the_next_run()
    {
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        Convert.FromHexString("B801000000EBF9").CopyTo(m.Memory[(int)Origin..]);
        for (byte n = 1; n < 50; n++)
        {
            m.Ram[Origin + 1] = n;
            Assert.Equal(RunResult.Limit, m.Processor.Run((ulong)n % 3 * 100 + 2));
            Assert.Equal(n, m.State->Gpr[Register.Rax]);
        }
    }

    /// <summary>What no instruction begins with is looked at again when a byte behind its first one has changed.</summary>
    [Theory]
    [InlineData("0F04", "0F31")]
    [InlineData("660F3A01C007", "660F3A0FC007")]
    [InlineData("F00FA2", "F00FB10E")]
    public void An_illegal_instruction_becomes_a_legal_one(string illegal, string legal)
    {
        using var m = new TestMachine(4 << 20);
        foreach (string code in (string[])[illegal, legal, illegal])
        {
            ModeSetup.Enter(m, GuestMode.Long, Origin);
            m.State->Gpr[Register.Rsi] = Origin + 0x100;
            m.Memory.Slice((int)Origin, 16).Fill(0xF4);
            Convert.FromHexString(code).CopyTo(m.Memory[(int)Origin..]);
            Assert.Equal(RunResult.Halted, m.Processor.Run(100));
            Assert.Equal(code == legal, m.State->Rip == Origin + ((ulong)code.Length / 2) + 1);
        }
    }

    [Fact]
    public void A_page_written_more_often_than_a_version_counts_is_still_a_page_of_code()
    {
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        Convert.FromHexString("90F4").CopyTo(m.Memory[(int)Origin..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(10));
        uint* version = m.Processor.Group.Memory.Code.VersionOf(m.Ram + Origin);
        *version = uint.MaxValue;
        Assert.True(m.Processor.Group.Memory.Write(0, Origin + 1, [0xF4]));
        Assert.NotEqual(0u, *version);
        Assert.NotEqual(uint.MaxValue, *version);
    }

    /// <summary>Stores next to code that is not changed leave its version, and its blocks, alone; one into the 64 bytes where it is does not.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void Stores_near_code_do_not_touch_it(EngineKind engine)
    {
        using var m = new TestMachine(4 << 20, engine);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        Assemble.Code64(Origin, c =>
        {
            Label again = c.CreateLabel();
            c.mov(ecx, 500);
            c.Label(ref again);
            c.mov(__qword_ptr[Origin + 0x80], rcx);
            c.add(__byte_ptr[Origin + 0xFFF], 1);
            c.dec(ecx);
            c.jnz(again);
            c.hlt();
        }).CopyTo(m.Memory[(int)Origin..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        uint* version = m.Processor.Group.Memory.Code.VersionOf(m.Ram + Origin);
        uint before = *version;
        Assert.NotEqual(0u, before);
        Assert.Equal((1, 500 & 0xFF), ((int)m.Memory[(int)Origin + 0x80], (int)m.Memory[(int)Origin + 0xFFF]));
        Assert.True(m.Processor.Group.Memory.Write(0, Origin + 0x80, [1, 2, 3]));
        Assert.Equal(before, *version);
        Assert.True(m.Processor.Group.Memory.Write(0, Origin + 0x38, new byte[9]));
        Assert.NotEqual(before, *version);
    }

    /// <summary>
    /// A function in a page that is written thousands of times becomes data in between, and code again when it is called; each call executes what was written last.
    /// </summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void A_page_that_is_data_for_long_is_code_again_when_it_is_executed(EngineKind engine)
    {
        const ulong Function = 0x2_0000;
        using var m = new TestMachine(4 << 20, engine);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        Assemble.Code64(Origin, c =>
        {
            Label round = c.CreateLabel(), fill = c.CreateLabel();
            c.mov(edi, (int)Function);
            c.xor(eax, eax);
            c.xor(edx, edx);
            c.mov(ebx, 40);
            c.Label(ref round);
            c.mov(ecx, 700);
            c.Label(ref fill);
            c.mov(__[rdi + rcx + 256], cl);
            c.dec(ecx);
            c.jnz(fill);
            c.call(rdi);
            c.mov(__byte_ptr[rdi + 1], bl);
            c.call(rdi);
            c.dec(ebx);
            c.jnz(round);
            c.hlt();
        }).CopyTo(m.Memory[(int)Origin..]);

        // add al, imm8; movzx eax, al; add edx, eax; ret
        Convert.FromHexString("04000FB6C001C2C3").CopyTo(m.Memory[(int)Function..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        uint sum = 0;
        byte al = 0, immediate = 0;
        for (byte n = 40; n != 0; n--)
        {
            al += immediate;
            sum += al;
            immediate = n;
            al += immediate;
            sum += al;
        }

        Assert.Equal((ulong)sum, m.State->Gpr[Register.Rdx]);
    }

    [Fact]
    public void More_blocks_than_the_arena_holds()
    {
        // A chain of 2-byte jumps through 1 MiB makes half a million blocks, 16-bit address registers count the rounds.
        using var m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Protected32, 0x20_0000);
        MemoryMarshal.Cast<byte, ushort>(m.Memory[0x20_0000..0x30_0000]).Fill(0x00EB);
        Convert.FromHexString("81FF010000007406 47E9F2FFEFFF F4".Replace(" ", string.Empty)).CopyTo(m.Memory[0x30_0000..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(3_000_000));
        Assert.Equal(1ul, m.State->Gpr[Register.Rdi]);
        Assert.InRange(m.State->Retired, 2ul * 0x8_0000, (2ul * 0x8_0000) + 20);
    }

    private static ulong Run(string code) => Run(Convert.FromHexString(code));

    private static ulong Run(byte[] code)
    {
        ulong rax = Run(code, out TestMachine m);
        m.Dispose();
        return rax;
    }

    private static ulong Run(ReadOnlySpan<byte> code, out TestMachine m)
    {
        m = new TestMachine(4 << 20);
        ModeSetup.Enter(m, GuestMode.Long, Origin);
        code.CopyTo(m.Memory[(int)Origin..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run(10_000));
        return m.State->Gpr[Register.Rax];
    }
}
