using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Isa.Tests.Paging;
using Iced.Intel;
using static Akvam.Isa.Tests.Paging.PagedGuest;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Host code remembers where its places in the code accessed memory last, and where CALL came from: what makes that wrong is noticed.</summary>
/// <remarks>Valid for the guests it makes.</remarks>
public sealed unsafe class WindowTests
{
    private const ulong First = 0x40_0000, Other = 0x80_0000, Page = 4096;

    /// <summary>A loop over pages that follow one another, of which one is mapped elsewhere: reads and writes.</summary>
    [Fact]
    public void A_page_in_the_middle_is_mapped_elsewhere()
    {
        using var g = new PagedGuest();
        for (ulong n = 0; n < 4; n++)
        {
            g.Map(Region + (n * Page), First + (n * Page));
            *(ulong*)(g.M.Ram + First + (n * Page)) = n + 1;
        }

        *(ulong*)(g.M.Ram + Other) = 100;
        ulong entry = (ulong)((byte*)g.Entry(Region + Page, 1) - g.M.Ram);
        Run(g, a =>
        {
            Label outer = a.CreateLabel(), again = a.CreateLabel(), end = a.CreateLabel();
            a.mov(r8d, 3);
            a.Label(ref outer);
            a.mov(rdi, Region);
            a.xor(eax, eax);
            a.mov(ecx, 4);
            a.Label(ref again);
            a.add(rax, __[rdi]);
            a.mov(__qword_ptr[rdi + 64], r8);
            a.add(rdi, (int)Page);
            a.dec(ecx);
            a.jnz(again);
            a.imul(r9, r9, 1000);
            a.add(r9, rax);
            a.dec(r8d);
            a.jz(end);
            a.mov(__qword_ptr[entry], (int)(Other | 7));
            a.invlpg(__[Region + Page]);
            a.jmp(outer);
            a.Label(ref end);
            a.hlt();
        });
        Assert.Equal(10_108_108ul, g.S->Gpr[9]);
        Assert.Equal((3ul, 1ul), (*(ulong*)(g.M.Ram + First + Page + 64), *(ulong*)(g.M.Ram + Other + 64)));
    }

    /// <summary>Up to the last byte of a page, but no further: of one byte, of eight, and of a group whose second access faults.</summary>
    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(8, 4, 0)]
    [InlineData(8, 8, 16)]
    [InlineData(16, 2, 0)]
    public void Behind_the_last_byte(int size, int step, int second)
    {
        using var g = new PagedGuest();
        g.Map(Region, First);
        Label again = default;
        Run(
            g,
            a =>
            {
                a.mov(rdi, Region);
                again = a.CreateLabel();
                a.Label(ref again);
                switch (size)
                {
                    case 1:
                        a.mov(al, __[rdi]);
                        break;
                    case 8:
                        a.mov(rax, __[rdi]);
                        break;
                    default:
                        a.movups(xmm0, __[rdi]);
                        break;
                }

                if (second != 0)
                {
                    a.mov(rdx, __[rdi + second]);
                }

                a.add(rdi, step);
                a.jmp(again);
            },
            faults: true);
        Assert.Equal(Vector.PF, g.S->Fault.Vector);
        ulong reach = (ulong)(second != 0 ? second + 8 : size);
        ulong expected = (Page - reach) / (ulong)step * (ulong)step + (ulong)step;
        Assert.Equal(Region + expected, g.S->Gpr[Register.Rdi]);
        Assert.Equal(second != 0 ? 3ul : 0, g.S->Rip - (Kernel + 10));
    }

    /// <summary>
    /// A place that accesses pages here and there, and so is patched to search the TLB at once, still sees that an address is not aligned: load, store, an operand of an
    /// operation, one of 32 bytes.
    /// </summary>
    [Theory]
    [InlineData(0, 8)]
    [InlineData(1, 8)]
    [InlineData(2, 1)]
    [InlineData(3, 16)]
    public void Here_and_there_and_not_aligned(int kind, int wrong)
    {
        const int rounds = 3000;
        using var g = new PagedGuest(engine: EngineKind.Translator);
        g.M.Processor.Cpuid.SetEntries(Akvam.Cpu.Cpuid.CpuidModel.Supported());
        g.SetCr4(Cr4.OSFXSR | Cr4.OSXSAVE);
        Assert.True(ControlRegisters.TrySetXcr0(g.S, 7));
        for (ulong n = 0; n < 32; n++)
        {
            // Neighbours are not neighbours in memory: no window shows two pages.
            g.Map(Region + (n * Page), First + ((n * 7 % 32) * 2 * Page));
        }

        Run(
            g,
            a =>
            {
                Label again = a.CreateLabel();
                a.mov(rdi, Region);
                a.mov(ecx, rounds);
                a.mov(r9d, wrong);
                a.Label(ref again);
                a.imul(rdx, rdx, 0x5DEE_CE65);
                a.add(rdx, 11);
                a.mov(rsi, rdx);
                a.shr(rsi, 20);
                a.and(esi, 0x1_FFE0);
                a.xor(r8d, r8d);
                a.cmp(ecx, 1);
                a.cmove(r8d, r9d);
                a.add(esi, r8d);
                switch (kind)
                {
                    case 0:
                        a.movaps(xmm1, __[rdi + rsi]);
                        break;
                    case 1:
                        a.movdqa(__[rdi + rsi], xmm1);
                        break;
                    case 2:
                        a.paddd(xmm1, __[rdi + rsi]);
                        break;
                    default:
                        a.vmovaps(ymm1, __[rdi + rsi]);
                        break;
                }

                a.dec(ecx);
                a.jnz(again);
                a.hlt();
            },
            faults: true);
        Assert.Equal((Vector.GP, 1ul), (g.S->Fault.Vector, g.S->Gpr[Register.Rcx]));
        Assert.InRange(g.M.Processor.TranslatorStatistics.SlowAccesses, 1, 100);
    }

    /// <summary>There are fewer windows than places, which have them together: those that read a page, and those that may not write to it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_page_that_others_read_is_not_written_to(bool groups)
    {
        using var g = new PagedGuest();
        g.Map(Region, First, flags: 1);
        g.S->Cr0 |= Cr0.WP;
        // More than there are windows, also in the last page of code, whose first block has all windows forgotten.
        const int places = 4050;
        Run(
            g,
            a =>
            {
                a.mov(rdi, Region);
                for (int n = 0; n < places; n++)
                {
                    // A block each.
                    Label next = a.CreateLabel();
                    a.mov(rax, __[rdi]);
                    if (groups)
                    {
                        a.mov(rdx, __[rdi + 24]);
                    }

                    a.jmp(next);
                    a.Label(ref next);
                    a.inc(r8);
                }

                if (groups)
                {
                    a.mov(rdx, __[rdi + 24]);
                }

                a.mov(__qword_ptr[rdi], r8);
                a.hlt();
            },
            faults: true);
        Assert.Equal(Vector.PF, g.S->Fault.Vector);
        Assert.Equal((ulong)places, g.S->Gpr[8]);
        Assert.Equal(0ul, *(ulong*)(g.M.Ram + First));
    }

    /// <summary>What a place saw with AC set it does not see without: supervisor-mode access prevention.</summary>
    [Fact]
    public void A_user_page_is_seen_with_ac_only()
    {
        using var g = new PagedGuest();
        g.SetCr4(Cr4.SMAP);
        g.Map(Region, First);
        *(ulong*)(g.M.Ram + First) = 5;
        Run(
            g,
            a =>
            {
                Label read = a.CreateLabel();
                a.mov(rdi, Region);
                for (int n = 0; n < 3; n++)
                {
                    a.push((int)(Rflags.AC | Rflags.Fixed));
                    a.popfq();
                    a.call(read);
                    a.call(read);
                }

                a.push((int)Rflags.Fixed);
                a.popfq();
                a.inc(rcx);
                a.call(read);
                a.hlt();
                a.Label(ref read);
                a.add(rax, __[rdi]);
                a.ret();
            },
            faults: true);
        Assert.Equal((Vector.PF, 30ul, 1ul), (g.S->Fault.Vector, g.S->Gpr[Register.Rax], g.S->Gpr[Register.Rcx]));
    }

    /// <summary>A place that has written a page goes on writing it when there is code.</summary>
    [Fact]
    public void A_written_page_becomes_code()
    {
        using var g = new PagedGuest();
        g.Map(Region, First);
        new byte[] { 0xB8, 0, 0, 0, 0, 0xC3 }.CopyTo(g.M.Memory[(int)First..]);
        Run(g, a =>
        {
            Label again = a.CreateLabel();
            a.mov(rdi, Region);
            a.mov(ecx, 9);
            a.Label(ref again);
            a.mov(__[rdi + 1], ecx);
            a.call(rdi);
            a.add(rbx, rax);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        Assert.Equal(45ul, g.S->Gpr[Register.Rbx]);
    }

    /// <summary>The page that a function returns to is another one meanwhile.</summary>
    [Fact]
    public void The_caller_is_mapped_elsewhere()
    {
        using var g = new PagedGuest();
        g.Map(Region, First);
        foreach ((ulong at, byte value) in ((ulong, byte)[])[(First, 1), (Other, 2)])
        {
            // CALL R15; MOV EAX, value; HLT
            new byte[] { 0x41, 0xFF, 0xD7, 0xB8, value, 0, 0, 0, 0xF4 }.CopyTo(g.M.Memory[(int)at..]);
        }

        ulong entry = (ulong)((byte*)g.Entry(Region, 1) - g.M.Ram);
        Run(g, a =>
        {
            Label function = a.CreateLabel();
            a.lea(r15, __[function]);
            a.mov(rax, Region);
            a.jmp(rax);
            a.Label(ref function);
            a.mov(__qword_ptr[entry], (int)(Other | 7));
            a.invlpg(__[Region]);
            a.ret();
        });
        Assert.Equal(2ul, g.S->Gpr[Register.Rax]);
    }

    private static void Run(PagedGuest g, Action<Assembler> write, bool faults = false)
    {
        var a = new Assembler(64);
        write(a);
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Kernel);
        writer.Bytes.CopyTo(g.M.Memory[(int)Kernel..]);
        g.S->Rip = Kernel;
        Assert.Equal(faults ? RunResult.Debug : RunResult.Halted, g.M.Processor.Run());
    }
}
