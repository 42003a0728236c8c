using Akvam.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>The translator expects RET to go where the last CALL came from. These programs do not keep to that.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class ReturnTests
{
    private const ulong Rip = 0x1_0000, Stack = 0x9_0000;

    /// <summary>Deeper than there is room for expected returns.</summary>
    [Fact]
    public void Recursion_of_any_depth()
    {
        Compare(a =>
        {
            Label function = a.CreateLabel(), done = a.CreateLabel(), again = a.CreateLabel();
            a.mov(ebx, 30);
            a.Label(ref again);
            a.mov(ecx, 5000);
            a.call(function);
            a.dec(ebx);
            a.jnz(again);
            a.hlt();
            a.Label(ref function);
            a.inc(rax);
            a.dec(ecx);
            a.jz(done);
            a.call(function);
            a.add(rdx, rax);
            a.Label(ref done);
            a.ret();
        });
    }

    /// <summary>Every return address but the last is taken off the stack, as by longjmp, or changed on it.</summary>
    [Fact]
    public void Returns_to_elsewhere()
    {
        Compare(a =>
        {
            Label outer = a.CreateLabel(), inner = a.CreateLabel(), other = a.CreateLabel(), again = a.CreateLabel();
            a.mov(ebx, 300);
            a.Label(ref again);
            a.call(outer);
            a.inc(rdx);
            a.dec(ebx);
            a.jnz(again);
            a.hlt();
            a.Label(ref outer);
            a.mov(rbp, rsp);
            a.call(inner);
            a.inc(r8);
            a.ret();
            a.Label(ref inner);
            a.inc(rax);
            a.test(ebx, 3);
            a.jz(other);
            a.mov(rsp, rbp);
            a.ret();
            a.Label(ref other);
            a.add(__qword_ptr[rsp], 3);
            a.ret();
        });
    }

    /// <summary>A stack whose frames cross a page, so that the accesses of one block are not all in the same.</summary>
    [Fact]
    public void Frames_across_pages()
    {
        Compare(a =>
        {
            Label function = a.CreateLabel(), again = a.CreateLabel();
            a.mov(ebx, 400);
            a.Label(ref again);
            a.lea(rsp, __[rsp - 24]);
            a.call(function);
            a.dec(ebx);
            a.jnz(again);
            a.hlt();
            a.Label(ref function);
            a.push(rax);
            a.push(rbx);
            a.push(r12);
            a.sub(rsp, 40);
            a.mov(__qword_ptr[rsp + 8], rbx);
            a.inc(__dword_ptr[rsp + 8]);
            a.add(rax, __qword_ptr[rsp + 8]);
            a.xor(r12, rax);
            a.mov(__qword_ptr[rsp + 32], r12);
            a.add(rsp, 40);
            a.pop(r12);
            a.pop(rbx);
            a.pop(rcx);
            a.ret();
        });
    }

    private static void Compare(Action<Assembler> write)
    {
        var a = new Assembler(64);
        write(a);
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        using var both = new Lockstep();
        both.Set(m =>
        {
            ModeSetup.Enter(m, GuestMode.Long, Rip);
            m.State->Retired = 0;
            m.State->Gpr[Register.Rsp] = Stack;
            writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        });
        Assert.Null(both.Run(ulong.MaxValue, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > 2, "nothing was translated");
    }
}
