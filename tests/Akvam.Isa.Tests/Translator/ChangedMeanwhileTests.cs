using Akvam.Cpu;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Memory;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Another processor, or a device, writes to code between the look-up of a block and its first execution.</summary>
/// <remarks>Valid for the machine it makes.</remarks>
public sealed unsafe class ChangedMeanwhileTests
{
    private const ulong Main = 0x1_0000, Stack = 0x9_0000;

    /// <summary>The block has just got host code, which is of the old bytes. Also where the changed ones are in a second page.</summary>
    [Theory]
    [InlineData(0x2_0000)]
    [InlineData(0x2_0FFE)]
    public void A_block_changes_before_it_is_entered(ulong function)
    {
        const int Calls = 3, Old = 0x100, New = 5;
        using var m = new TestMachine(engine: EngineKind.Translator);
        ModeSetup.Enter(m, GuestMode.Long, Main);
        m.State->Gpr[Register.Rsp] = Stack;
        m.State->Gpr[Register.Rbx] = 0;
        Assemble.Code64(Main, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, Calls);
            a.Label(ref again);
            a.call(function);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        }).CopyTo(m.Memory[(int)Main..]);
        Assemble.Code64(function, a =>
        {
            a.mov(eax, Old);
            a.add(rbx, rax);
            a.ret();
        }).CopyTo(m.Memory[(int)function..]);
        byte* low = m.Ram + function + 1, high = low + 1;
        var writer = new Writer(function, () =>
        {
            // Constants of four bytes: one of the first page, if it is divided, and one of the second.
            *low = New;
            *high = 0;
            CodeMap code = m.Processor.Group.Memory.Code;
            CodeMap.Written(code.VersionOf(low), low, 1);
            CodeMap.Written(code.VersionOf(high), high, 1);
        });
        m.Processor.TranslationObserver = writer;
        Assert.Equal(RunResult.Halted, m.Processor.Run(1000));
        Assert.True(writer.HasWritten);
        Assert.Equal((ulong)(Calls * New), m.State->Gpr[Register.Rbx]);
    }

    /// <summary>Does something as soon as there is host code for an address, once.</summary>
    private sealed class Writer(ulong address, Action write) : ITranslationObserver
    {
        public bool HasWritten { get; private set; }

        public void Translated(in Translation translation)
        {
            if (translation.Linear == address && !HasWritten)
            {
                HasWritten = true;
                write();
            }
        }
    }
}
