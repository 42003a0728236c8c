using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Cpu.Translator;
using Akvam.Isa.Tests.Paging;
using Iced.Intel;
using static Akvam.Isa.Tests.Paging.PagedGuest;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Instructions that lie in two pages, in loops, so that they have host code; and pages that do not stay what they were.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class CrossingCodeTests
{
    private const ulong Rip = 0x1_0000, Functions = 0x2_0000, Table = 0x1_8000, Data = 0x1_C000, Stack = 0x1_F000;
    private const ulong One = 0x50_0000, Two = 0x60_0000, Three = 0x70_0000;
    private const int Rounds = 40;

    /// <summary>The crossing instruction, and what follows it; all of them may change RAX, RBX and RDX.</summary>
    private static readonly (string Crossing, string After)[] s_functions =
    [
        ("4801D8", "C3"),
        ("48BB8877665544332211", "C3"),
        ("8B4708", "4801C3C3"),
        ("488B9C2400010000", "C3"),
        ("894708", "C3"),
        ("F0480FC15F10", "C3"),
        ("48834718FF", "C3"),
        ("6A11", "58C3"),
        ("FF7708", "58C3"),
        ("7502", "FFC0C3"),
        ("0F8402000000", "FFC0C3"),
        ("EB02", "FFC0C3"),
        ("E800000000", "5AC3"),
        ("C20000", ""),
        ("660FEFC1", "C3"),
        ("F20F58C1", "66480F7EC0C3"),
        ("C5F9FEC1", "C3"),
        ("480FAFC3", "C3"),
        ("48C1E003", "C3"),
        ("0FA2", "C3"),
        ("D9E8", "DD5F20C3"),
    ];

    [Fact]
    public void Instructions_of_every_kind()
    {
        using var both = new Lockstep();
        foreach ((string crossing, string after) in s_functions)
        {
            byte[] code = Convert.FromHexString(crossing + after);
            int splits = (crossing.Length / 2) - 1;
            byte[] driver = Assemble.Code64(Rip, a =>
            {
                Label again = a.CreateLabel(), next = a.CreateLabel();
                a.mov(rdi, Data);
                a.mov(r14, Table);
                a.mov(ebp, Rounds);
                a.Label(ref again);
                a.mov(r13d, splits);
                a.Label(ref next);
                a.call(__qword_ptr[r14 + r13 * 8 - 8]);
                a.dec(r13d);
                a.jnz(next);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            });
            both.Set(m =>
            {
                ModeSetup.Enter(m, GuestMode.Long, Rip);
                m.State->Gpr[Register.Rsp] = Stack;
                m.Memory.Slice((int)Table, (int)(Stack - Table)).Clear();
                driver.CopyTo(m.Memory[(int)Rip..]);
                for (int inFirst = 1; inFirst <= splits; inFirst++)
                {
                    ulong at = Functions + ((ulong)inFirst << 13) - (ulong)inFirst;
                    code.CopyTo(m.Memory[(int)at..]);
                    *(ulong*)(m.Ram + Table + (8 * (inFirst - 1))) = at;
                }
            });
            string? difference = both.Run(ulong.MaxValue, out RunResult result);
            Assert.True(difference == null && result == RunResult.Halted, $"{crossing}: {result} {difference}");
        }

        TranslatorStatistics statistics = both.Translated.Processor.TranslatorStatistics;
        Assert.True(statistics.Exits < statistics.Blocks * 8, $"{statistics.Exits} ways through the run loop for {statistics.Blocks} blocks");
    }

    /// <summary>The rest of the instruction is in one page, then in another, and INVLPG or CR3 tells.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter, false)]
    [InlineData(EngineKind.Interpreter, true)]
    [InlineData(EngineKind.Translator, false)]
    [InlineData(EngineKind.Translator, true)]
    public void The_second_page_is_mapped_elsewhere(EngineKind engine, bool cr3)
    {
        using PagedGuest g = Guest(engine, cr3, out ulong rip, out ulong* second);
        g.S->Rip = rip;
        Assert.Equal(RunResult.Halted, g.M.Processor.Run(100_000));
        Assert.Equal(Rounds / 2 * 0x3300_0000ul, g.S->Gpr[Register.Rbx]);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter, false)]
    [InlineData(EngineKind.Interpreter, true)]
    [InlineData(EngineKind.Translator, false)]
    [InlineData(EngineKind.Translator, true)]
    public void The_second_page_goes_away(EngineKind engine, bool cr3)
    {
        using PagedGuest g = Guest(engine, cr3, out ulong rip, out ulong* second);
        g.S->Gpr[Register.Rsi] = Two | P | W | U;
        g.S->Gpr[8] = Two | P | W | U;
        g.S->Gpr[9] = Two | W | U;
        g.S->Rip = rip;
        Assert.Equal(RunResult.Debug, g.M.Processor.Run(100_000));
        Assert.Equal((Vector.PF, Region + 0x1000, Region + 0xFFC), (g.S->Fault.Vector, g.S->Fault.Payload, g.S->Rip));
        Assert.Equal((Rounds - 1) * 0x1100_0000ul, g.S->Gpr[Register.Rbx]);

        *second = Three | P | W | U;
        Assert.Equal(RunResult.Halted, g.M.Processor.Run(100_000));
        Assert.Equal(((Rounds - 1) * 0x1100_0000ul) + 0x2200_0000, g.S->Gpr[Register.Rbx]);
    }

    /// <summary>
    /// A loop at <paramref name="rip"/> whose MOV EAX, imm32 has its last byte in a page that RSI and R8 map in turn, the last time R9; what it loaded is added up in RBX.
    /// </summary>
    private static PagedGuest Guest(EngineKind engine, bool cr3, out ulong rip, out ulong* second)
    {
        var g = new PagedGuest(engine: engine);
        g.Map(Region, One);
        second = g.Map(Region + 0x1000, Two);
        ulong entry = (ulong)((byte*)second - g.M.Ram);
        byte[] loop = Assemble.Code64(Region + 0x100, a =>
        {
            Label last = a.CreateLabel(), changed = a.CreateLabel();
            a.xchg(rsi, r8);
            a.cmp(ecx, 1);
            a.je(last);
            a.mov(__qword_ptr[entry], rsi);
            a.jmp(changed);
            a.Label(ref last);
            a.mov(__qword_ptr[entry], r9);
            a.Label(ref changed);
            if (cr3)
            {
                a.mov(rax, Iced.Intel.AssemblerRegisters.cr3);
                a.mov(Iced.Intel.AssemblerRegisters.cr3, rax);
            }
            else
            {
                a.invlpg(__byte_ptr[rdi]);
            }

            a.jmp(Region + 0xFFC);
        });
        loop.CopyTo(g.M.Memory[(int)(One + 0x100)..]);
        byte[] code = Assemble.Code64(Region + 0xFFC, a =>
        {
            Label done = a.CreateLabel();
            a.mov(eax, 0x1100_0000);
            a.add(rbx, rax);
            a.dec(ecx);
            a.jz(done);
            a.jmp(Region + 0x100);
            a.Label(ref done);
            a.hlt();
        });
        code.AsSpan(0, 4).CopyTo(g.M.Memory[(int)(One + 0xFFC)..]);
        code.AsSpan(4).CopyTo(g.M.Memory[(int)Two..]);
        code.AsSpan(4).CopyTo(g.M.Memory[(int)Three..]);
        g.M.Memory[(int)Three] = 0x22;
        g.S->Gpr[Register.Rbx] = 0;
        g.S->Gpr[Register.Rcx] = Rounds;
        g.S->Gpr[Register.Rdi] = Region + 0x1000;
        g.S->Gpr[Register.Rsi] = Two | P | W | U;
        g.S->Gpr[8] = Three | P | W | U;
        g.S->Gpr[9] = Two | P | W | U;
        rip = Region + 0x100;
        return g;
    }
}
