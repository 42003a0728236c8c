using Akvam.Cpu;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>An SMI and its RSM leave what the program's memory and code were translated to, which they would otherwise have to find again.</summary>
/// <remarks>Valid for the machine each test makes.</remarks>
public sealed unsafe class SmmTranslationTests
{
    private const int Smis = 20;
    private const ulong Around = 400;

    /// <summary>l: mov rax, [rbx]; add rax, [rbx+1000h]; mov [rbx+2000h], rax; inc rcx; jmp l.</summary>
    private static ReadOnlySpan<byte> Loop =>
        [0x48, 0x8B, 0x03, 0x48, 0x03, 0x83, 0, 0x10, 0, 0, 0x48, 0x89, 0x83, 0, 0x20, 0, 0, 0x48, 0xFF, 0xC1, 0xEB, 0xEA];

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void SMIs_flush_no_translations_of_the_program(EngineKind engine)
    {
        using var m = new SmmMachine(GuestMode.Long, engine: engine);
        Loop.CopyTo(m.Inner.Memory[(int)SmmMachine.Rip..]);
        m.S->Gpr[Register.Rbx] = 0x5_0000;
        Assert.Equal(RunResult.Limit, m.Run(Around));

        // Once for the handler's own code.
        m.EnterSmm();
        Assert.Equal(RunResult.Limit, m.Run(1));
        Assert.Equal(RunResult.Limit, m.Run(Around));
        long blocks = m.Inner.Processor.TranslatorStatistics.Blocks, slow = m.Inner.Processor.TranslatorStatistics.SlowAccesses;
        Assert.True(engine == EngineKind.Interpreter || blocks > 0, "nothing was translated");
        for (int n = 0; n < Smis; n++)
        {
            m.EnterSmm();
            Assert.Equal(RunResult.Limit, m.Run(1));
            Assert.Equal(0, m.S->InSmm);
            for (ulong page = 0x5_0000; page <= 0x5_2000; page += 0x1000)
            {
                TlbEntry* e = Mem.Entry(m.S, page);
                Assert.Equal(page | m.S->DataTag, page == 0x5_2000 ? e->Write : e->Read);
            }

            Assert.Equal(RunResult.Limit, m.Run(Around));
        }

        Assert.Equal(blocks, m.Inner.Processor.TranslatorStatistics.Blocks);
        Assert.Equal(slow, m.Inner.Processor.TranslatorStatistics.SlowAccesses);
    }
}
