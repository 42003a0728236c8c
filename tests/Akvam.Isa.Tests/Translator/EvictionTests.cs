using Akvam.Cpu;
using Akvam.Cpu.Translator;
using Akvam.Isa.Tests.Multiprocessor;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Programs that do not fit into what there is room for: code goes all the time, wherever it comes from and whoever leads to it.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class EvictionTests
{
    private const int Functions = 256;

    /// <summary>No program executes so many instructions.</summary>
    private const ulong Limit = 10_000_000;

    /// <summary>Some twenty blocks a region, in four of them.</summary>
    private static readonly CodeCacheSizes s_tiny = CodeCacheSizes.DividedBy(int.MaxValue);

    /// <summary>There is always room for decoded blocks.</summary>
    private static readonly CodeCacheSizes s_tinyHostCode = s_tiny with { Decoded = 16 << 20 };

    /// <summary>There is always room for host code.</summary>
    private static readonly CodeCacheSizes s_tinyDecoded = s_tiny with { HostCode = 64 << 20, Records = 16 << 20, Pages = 1024 };

    /// <summary>A region takes a while to be filled.</summary>
    private static readonly CodeCacheSizes s_small = s_tiny with { Decoded = 128 << 10 };

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Many_functions(int caches, bool changing)
    {
        int programs = LockstepTests.Setting("AKVAM_FUZZ", 400) / 50, first = LockstepTests.Setting("AKVAM_SEED", 1);
        using var both = new Lockstep(caches switch { 0 => s_tiny, 1 => s_tinyHostCode, 2 => s_tinyDecoded, _ => s_small });
        for (int n = 0; n < programs; n++)
        {
            int seed = first + n, round = 0;
            both.Set(m => Prepare(m, seed, rounds: 1500, changing));
            var stops = new Random(seed);
            RunResult result;
            do
            {
                LockstepTests.Check(both.Run((ulong)stops.Next(1, 20_000), out result), seed);
                round++;
            }
            while (result != RunResult.Halted && round < 1000);
            Assert.InRange(round, 4, 999);
        }

        TranslatorStatistics statistics = both.Translated.Processor.TranslatorStatistics;
        Assert.True(caches == 2 || (statistics.HostCodeEvictions.Regions > programs * 100 && statistics.HostCodeEvictions.Blocks > programs * 1000), $"{statistics.HostCodeEvictions.Regions} regions of host code, {statistics.HostCodeEvictions.Blocks} blocks");
        Assert.True(caches == 1 || (statistics.DecodedEvictions.Regions > programs * 100 && statistics.DecodedEvictions.Blocks > programs * 1000), $"{statistics.DecodedEvictions.Regions} regions of decoded blocks, {statistics.DecodedEvictions.Blocks} blocks");
        EvictionStatistics evictions = caches == 2 ? statistics.DecodedEvictions : statistics.HostCodeEvictions;
        Assert.InRange(evictions.Longest, TimeSpan.FromTicks(1), evictions.Total);
    }

    /// <summary>The programs of <see cref="LockstepTests.Generated_programs"/>.</summary>
    [Theory]
    [InlineData(GuestMode.Long)]
    [InlineData(GuestMode.LongUser)]
    public void Generated_programs(GuestMode mode)
    {
        int programs = LockstepTests.Setting("AKVAM_FUZZ", 400), first = LockstepTests.Setting("AKVAM_SEED", 1);
        using var both = new Lockstep(s_tiny);
        for (int n = 0; n < programs; n++)
        {
            LockstepTests.Prepare(both, mode, first + n);
            LockstepTests.Check(both.Run(Limit, out _), first + n);
        }

        Assert.True(both.Translated.Processor.TranslatorStatistics.HostCodeEvictions.Regions > programs / 2, "there was always room");
    }

    /// <summary>Each function calls the next one in the middle: when the last returns, the host code that the first returns to has gone.</summary>
    [Fact]
    public void Calls_deeper_than_there_is_room_for()
    {
        const ulong First = FunctionGenerator.First;
        const int Stride = 0x400;
        using var both = new Lockstep(s_tinyHostCode);
        both.Set(m =>
        {
            Enter(m);
            Write(m, FunctionGenerator.Main, a =>
            {
                Label again = a.CreateLabel();
                a.mov(ebp, 50);
                a.Label(ref again);
                a.call(First);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            });
            for (int n = 0; n < Functions; n++)
            {
                ulong next = First + (Stride * ((ulong)n + 1));
                int number = n;
                Write(m, First + (Stride * (ulong)n), a =>
                {
                    a.add(eax, number);
                    if (number + 1 < Functions)
                    {
                        a.call(next);
                    }

                    a.lea(rax, __[rax + (rax * 2)]);
                    a.xor(__qword_ptr[FunctionGenerator.Data + (ulong)(8 * number)], rax);
                    a.ret();
                });
            }
        });
        Assert.Null(both.Run(Limit, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.True(both.Translated.Processor.TranslatorStatistics.HostCodeEvictions.Blocks > 50 * Functions);
    }

    /// <summary>Nobody may go where a function was before its code made room for that of others: not by a call, not by a jump through the table.</summary>
    [Fact]
    public void Whoever_led_to_a_block_leads_nowhere_when_it_is_gone()
    {
        // One caller stays, because it is decoded and translated anew in each round; its callee is as old as the fillers let it be.
        const ulong Callee = 0x2_0000, Filler = 0x3_0000;
        const int Fillers = 64, Stride = 0x400;
        using var both = new Lockstep(s_tinyHostCode);
        both.Set(m =>
        {
            Enter(m);
            Write(m, FunctionGenerator.Main, a =>
            {
                Label again = a.CreateLabel(), fill = a.CreateLabel(), indirect = a.CreateLabel(), called = a.CreateLabel();
                a.mov(ebp, 400);
                a.mov(r12, Callee);
                a.Label(ref again);
                a.test(ebp, 3);
                a.jz(indirect);
                a.call(Callee);
                a.jmp(called);
                a.Label(ref indirect);
                a.call(r12);
                a.Label(ref called);

                // A number of fillers that differs from round to round: now the callee goes first, and now this.
                a.mov(ebx, ebp);
                a.and(ebx, Fillers - 1);
                a.Label(ref fill);
                a.mov(esi, ebx);
                a.shl(esi, 10);
                a.add(rsi, (int)Filler);
                a.call(rsi);
                a.dec(ebx);
                a.jns(fill);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            });
            Write(m, Callee, a =>
            {
                a.inc(rdx);
                a.ret();
            });
            for (int n = 0; n < Fillers; n++)
            {
                int number = n;
                Write(m, Filler + (Stride * (ulong)n), a =>
                {
                    for (int k = 0; k < 6; k++)
                    {
                        a.add(__dword_ptr[FunctionGenerator.Data + (ulong)(8 * k)], number + k);
                    }

                    a.ret();
                });
            }
        });
        Assert.Null(both.Run(Limit, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(400ul, both.Translated.State->Gpr[Register.Rdx]);
        Assert.True(both.Translated.Processor.TranslatorStatistics.HostCodeEvictions.Blocks > 1000);
    }

    /// <summary>
    /// A place that accesses here and there, too far apart for one window, asks to be changed to search at once. When its group crosses a page, its block is left before that is done, and the place may be
    /// another one's code when it is.
    /// </summary>
    [Fact]
    public void What_was_to_be_changed_may_be_gone()
    {
        using var both = new Lockstep(s_tinyHostCode);
        both.Set(m =>
        {
            Enter(m);
            m.State->Gpr[12] = 1;
            Write(m, FunctionGenerator.Main, a =>
            {
                Label again = a.CreateLabel(), here = a.CreateLabel(), quiet = a.CreateLabel();
                a.mov(ebp, 20_000);
                a.Label(ref again);
                a.mov(ebx, 8);
                a.Label(ref here);
                a.imul(r12, r12, 0x5DEE_CE65);
                a.add(r12, 11);
                a.mov(rsi, r12);
                a.shr(rsi, 24);
                a.and(esi, 3);
                a.imul(rsi, rsi, 0x3_0000);
                a.add(rsi, 0x4_0FF8);
                a.bt(r12, 41);
                a.sbb(rdi, rdi);
                a.and(edi, 0x800);
                a.sub(rsi, rdi);
                a.mov(r8, __[rsi]);
                a.add(r8, __[rsi + 8]);
                a.add(__[rsi + 16], r8);
                a.dec(ebx);
                a.jnz(here);
                a.mov(rsi, r12);
                a.shr(rsi, 32);
                a.and(esi, Functions - 1);
                a.shl(esi, 8);
                a.add(rsi, (int)FunctionGenerator.First);
                a.call(rsi);
                a.test(ebp, 31);
                a.jnz(quiet);

                // Left to the interpreter.
                a.pause();
                a.Label(ref quiet);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            });
            for (int n = 0; n < Functions; n++)
            {
                int number = n;
                Write(m, FunctionGenerator.First + (0x100 * (ulong)n), a =>
                {
                    for (int k = 0; k < 20; k++)
                    {
                        a.add(rdx, number + k);
                        a.rol(rdx, 3);
                    }

                    a.ret();
                });
            }
        });
        Assert.Null(both.Run(Limit, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.True(both.Translated.Processor.TranslatorStatistics.HostCodeEvictions.Blocks > 1000);
    }

    /// <summary>What was hot before it had to make room is translated again after a quarter of the executions that others need.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Hot_blocks_come_back_soon(bool decoded)
    {
        const int Rounds = 20, Executions = 20, TranslateAfter = 16;
        using var m = new TestMachine(engine: EngineKind.Translator, caches: decoded ? s_tinyDecoded : s_tinyHostCode);
        m.Processor.TranslateAfter = TranslateAfter;
        Enter(m);
        Write(m, FunctionGenerator.Main, a =>
        {
            Label again = a.CreateLabel(), function = a.CreateLabel(), execution = a.CreateLabel();
            a.mov(ebp, Rounds);
            a.Label(ref again);
            a.mov(rsi, FunctionGenerator.First);
            a.mov(edi, Functions);
            a.Label(ref function);
            a.mov(ebx, Executions);
            a.Label(ref execution);
            a.call(rsi);
            a.dec(ebx);
            a.jnz(execution);
            a.add(rsi, 0x400);
            a.dec(edi);
            a.jnz(function);
            a.dec(ebp);
            a.jnz(again);
            a.hlt();
        });
        for (int n = 0; n < Functions; n++)
        {
            Write(m, FunctionGenerator.First + (0x400 * (ulong)n), a =>
            {
                a.inc(rdx);
                a.ret();
            });
        }

        Assert.Equal(RunResult.Halted, m.Processor.Run(Limit));
        Assert.Equal((ulong)(Rounds * Functions * Executions), m.State->Gpr[Register.Rdx]);

        // Two instructions a function; the main loop adds some.
        const int First = 2 * TranslateAfter * Functions, Later = 2 * (TranslateAfter / 4) * Functions * (Rounds - 1);
        TranslatorStatistics statistics = m.Processor.TranslatorStatistics;
        Assert.True((decoded ? statistics.DecodedEvictions.Blocks : statistics.HostCodeEvictions.Blocks) > Rounds * Functions / 2, $"{statistics}");
        Assert.InRange(statistics.Cold, First, First + (Later * 2));
    }

    /// <summary>Two pages in turn have the one copy that there is room for: what one becomes is what the other was, and is another function all the same.</summary>
    [Fact]
    public void Pages_take_the_place_of_others_copies()
    {
        const ulong One = FunctionGenerator.First, Other = FunctionGenerator.First + 0x1000;
        using var both = new Lockstep(new CodeCacheSizes { Copies = 1 });
        both.Set(m =>
        {
            Enter(m);
            m.State->Gpr[Register.Rax] = 0;
            Write(m, FunctionGenerator.Main, a =>
            {
                Label again = a.CreateLabel();
                a.mov(ebp, 100);
                a.Label(ref again);
                a.mov(ebx, ebp);
                a.shr(ebx, 2);
                a.and(ebx, 1);
                a.mov(__dword_ptr[One + 1], ebx);
                a.call(One);
                a.mov(__dword_ptr[Other + 1], 1);
                a.call(Other);
                a.rol(rdx, 1);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
            });
            foreach (ulong function in (ulong[])[One, Other])
            {
                // add eax, 0; add rdx, rax; ret
                Convert.FromHexString("05000000004801C2C3").CopyTo(m.Memory[(int)function..]);
            }
        });
        Assert.Null(both.Run(Limit, out RunResult result));
        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(149ul, both.Translated.State->Gpr[Register.Rax]);
    }

    /// <summary>Three processors call the same functions while they change the constants of some: each sees all of its calls return, and no constant that is older than one it has seen.</summary>
    [Fact]
    public void Several_processors_change_code()
    {
        const ulong Seen = 0x10_0000, Code = 0x40_0000;
        const int Rounds = 30_000;
        using var g = new SharedGuest(
            3,
            a =>
            {
                Label again = a.CreateLabel(), bad = a.CreateLabel(), quiet = a.CreateLabel();
                a.mov(ebp, Rounds);
                a.xor(edx, edx);
                a.lea(r12, __[(r15 * 2) + 1]);
                a.mov(rdi, r15);
                a.shl(rdi, 16);
                a.add(rdi, (int)Seen);
                a.Label(ref again);
                a.imul(r12, r12, 0x5DEE_CE65);
                a.add(r12, 11);
                a.mov(rsi, r12);
                a.shr(rsi, 24);
                a.and(esi, Functions - 1);
                a.mov(rbx, rsi);
                a.shl(rbx, 10);
                a.add(rbx, (int)Code);
                a.call(rbx);
                a.cmp(ecx, __[rdi + (rsi * 4)]);
                a.jb(bad);
                a.mov(__[rdi + (rsi * 4)], ecx);
                a.bt(r12, 40);
                a.jc(quiet);
                a.@lock.inc(__dword_ptr[rbx + 4]);
                a.Label(ref quiet);
                a.dec(ebp);
                a.jnz(again);
                a.hlt();
                a.Label(ref bad);
                a.ud2();
            },
            EngineKind.Translator,
            s_tiny);
        for (int n = 0; n < Functions; n++)
        {
            // inc rdx; mov ecx, 0 (its constant is aligned); ret
            Convert.FromHexString("48FFC2B900000000C3").CopyTo(g.M.Memory[((int)Code + (0x400 * n))..]);
        }

        g.RunToHalt();
        Assert.All(g.All, p => Assert.Equal((ulong)Rounds, p.State->Gpr[Register.Rdx]));
        Assert.All(g.All, p => Assert.True(p.TranslatorStatistics.DecodedEvictions.Blocks > 1000, $"{p.TranslatorStatistics}"));
    }

    private static void Enter(TestMachine m)
    {
        ModeSetup.Enter(m, GuestMode.Long, FunctionGenerator.Main);
        m.State->Retired = 0;
        m.State->Gpr[Register.Rsp] = FunctionGenerator.Stack;
        m.State->Gpr[Register.Rdx] = 0;
    }

    private static void Prepare(TestMachine m, int seed, int rounds, bool changing)
    {
        m.Memory.Clear();
        Enter(m);
        var random = new Random(seed);
        new FunctionGenerator(random, Functions, often: 8, changing).Write(m.Memory);
        LockstepTests.FillRegisters(m.State, random);
        m.State->Gpr[Register.Rbp] = (ulong)rounds;
    }

    private static void Write(TestMachine m, ulong address, Action<Assembler> write) => Assemble.Code64(address, write).CopyTo(m.Memory[(int)address..]);
}
