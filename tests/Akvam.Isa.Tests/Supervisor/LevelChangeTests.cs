using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Supervisor;

/// <summary>Between user and kernel code on both engines: what a change of level makes of the mode, and which events the loaded flags let in.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class LevelChangeTests
{
    private const ulong User = 0x1_0000, SystemCall = 0x1_1000, Gate = 0x1_2000;
    private const int Rounds = 200;

    public static TheoryData<EngineKind> Engines => new(EngineKind.Interpreter, EngineKind.Translator);

    private static TestMachine Machine(EngineKind engine, GuestMode mode, Action<Assembler> program, ulong cr4 = 0)
    {
        var m = new TestMachine(4 << 20, engine);
        CpuState* s = m.State;
        ModeSetup.Enter(m, mode, User);
        s->Efer |= Efer.SCE;
        s->Cr4 |= cr4;
        s->Star = ((ulong)(ModeSetup.UserData - 8) << 48) | ((ulong)ModeSetup.Code64 << 32);
        s->Lstar = SystemCall;
        s->Sfmask = Rflags.IF | Rflags.CF;
        s->Retired = 0;
        ControlRegisters.Reloaded(s);
        Write(m, User, program);
        return m;
    }

    private static void Write(TestMachine m, ulong at, Action<Assembler> program) => Assemble.Code64(at, program).CopyTo(m.Memory[(int)at..]);

    private static void SetGate(TestMachine m, int vector, ulong to)
    {
        ulong* gate = (ulong*)(m.Ram + ModeSetup.Idt + (16 * vector));
        gate[0] = (to & 0xFFFF) | ((ulong)ModeSetup.Code64 << 16) | 0xEE00_0000_0000 | ((to >> 16) << 48);
    }

    [Theory]
    [InlineData(EngineKind.Interpreter, 0ul)]
    [InlineData(EngineKind.Translator, 0ul)]
    [InlineData(EngineKind.Translator, Cr4.UMIP)]
    public void Round_trips(EngineKind engine, ulong cr4)
    {
        using TestMachine m = Machine(
            engine,
            GuestMode.LongUser,
            a =>
            {
                Label again = a.CreateLabel();
                a.mov(ebx, Rounds);
                a.Label(ref again);
                a.stc();
                a.syscall();
                a.adc(r10, 0);
                a.@int(0x80);
                a.dec(rbx);
                a.jnz(again);
                a.hlt();
            },
            cr4);
        ModeKey user = m.State->Mode;
        ulong userTag = m.State->DataTag;
        Write(m, SystemCall, a =>
        {
            a.mov(r12, cr0);
            a.adc(r8, 1);
            a.sysretq();
        });
        Write(m, Gate, a =>
        {
            a.inc(r9);
            a.iretq();
        });
        SetGate(m, 0x80, Gate);
        Assert.Equal(RunResult.Halted, m.Processor.Run());

        // HLT faults in user code; the handler's own is the last instruction.
        CpuState* s = m.State;
        Assert.Equal(ModeSetup.Handlers + 13 + 1, s->Rip);
        Assert.Equal(((ulong)Rounds, (ulong)Rounds, (ulong)Rounds), (s->Gpr[8], s->Gpr[9], s->Gpr[10]));
        Assert.Equal(2ul + (Rounds * 11), s->Retired);
        ModeKey kernel = s->Mode;
        (ulong Data, ulong Code, ulong System) tags = (s->DataTag, s->CodeTag, s->SystemTag);
        Processor.UpdateMode(s);
        Assert.Equal(kernel, s->Mode);
        Assert.Equal((s->DataTag, s->CodeTag, s->SystemTag), tags);

        // And back, by the SYSRET that is translated by now.
        s->Activity = Activity.Runnable;
        s->Rip = SystemCall;
        s->Gpr[Register.Rcx] = User;
        s->Gpr[11] = Rflags.Fixed;
        Assert.Equal(RunResult.Limit, m.Processor.Run(3));
        Assert.Equal((user, userTag), (s->Mode, s->DataTag));
        Assert.Equal((ModeSetup.UserCode64, ModeSetup.UserData), (s->Cs.Selector, s->Ss.Selector));
    }

    /// <summary>SYSCALL and SYSRET with all kinds of flags and selectors, stopped after each instruction.</summary>
    [Fact]
    public void Both_engines_are_in_the_same_state_after_each_instruction()
    {
        void Program(Assembler a)
        {
            Label again = a.CreateLabel();
            a.mov(ebx, 5);
            a.Label(ref again);
            a.sub(eax, ebx);
            a.syscall();
            a.add(eax, 0x7FFF_FFFF);
            a.std();
            a.syscall();
            a.cld();
            a.dec(rbx);
            a.jnz(again);
            a.hlt();
        }

        foreach ((ulong star, ulong mask) in new[] { (0x0023_0010ul, 0x4_7700ul), (0xFFF0_FFFFul, Rflags.Lazy | Rflags.DF), (0x0028_0020ul, 0ul) })
        {
            for (ulong n = 1; n < 60; n++)
            {
                using TestMachine one = Machine(EngineKind.Interpreter, GuestMode.LongUser, Program, Cr4.UMIP);
                using TestMachine two = Machine(EngineKind.Translator, GuestMode.LongUser, Program, Cr4.UMIP);
                foreach (TestMachine m in new[] { one, two })
                {
                    Write(m, SystemCall, a =>
                    {
                        a.swapgs();
                        a.mov(r8, r11);
                        a.and(r11d, ~0x200);
                        a.xor(r11d, 0x4008C4);
                        a.swapgs();
                        a.sysretq();
                    });
                    m.State->Star = star << 32;
                    m.State->Sfmask = mask;
                    m.State->KernelGsBase = 0x1234;
                    m.State->Cs.Base = m.State->Ss.Base = 0x77;
                    m.State->SystemFlags |= Rflags.IF;
                    Assert.Equal(RunResult.Limit, m.Processor.Run(n));
                }

                Assert.Equal(Describe(one.State), Describe(two.State));
            }
        }

        static string Describe(CpuState* s) =>
            $"{s->Rip:x} {s->Gpr[Register.Rcx]:x} {s->Gpr[8]:x} {s->Gpr[11]:x} {s->Gpr[Register.Rax]:x} {LazyFlags.Read(s):x} {s->Cpl} {s->Mode} {s->DataTag:x} {s->CodeTag:x} "
            + $"{s->SystemTag:x} {s->SlowWho} {s->AlignmentCheck} {s->Gs.Base:x} {s->KernelGsBase:x} {s->Retired} {Segment(s->Cs)} {Segment(s->Ss)}";

        static string Segment(SegmentRegister r) => $"{r.Selector:x}:{r.Base:x}+{r.Limit:x}/{r.Attributes:x}/{r.Unusable}";
    }

    [Theory]
    [InlineData(EngineKind.Interpreter, true)]
    [InlineData(EngineKind.Interpreter, false)]
    [InlineData(EngineKind.Translator, true)]
    [InlineData(EngineKind.Translator, false)]
    public void Flags_that_are_loaded_let_a_waiting_interrupt_in(EngineKind engine, bool enable)
    {
        ulong flags = Rflags.Fixed | (enable ? Rflags.IF : 0);
        const ulong To = 0x1_3000;
        foreach (string way in new[] { "iretq", "popfq", "sysretq" })
        {
            using TestMachine m = Machine(engine, GuestMode.Long, a =>
            {
                if (way == "sysretq")
                {
                    a.mov(r11, flags);
                    a.mov(rcx, To);
                    a.sysretq();
                }
                else if (way == "popfq")
                {
                    a.mov(rax, To);
                    a.push((int)flags);
                    a.popfq();
                    a.jmp(rax);
                }
                else
                {
                    a.push(ModeSetup.Data);
                    a.push(0x7000);
                    a.push((int)flags);
                    a.push(ModeSetup.Code64);
                    a.push((int)To);
                    a.iretq();
                }
            });

            // UD2, so that the end is seen at every level.
            m.Memory[(int)To] = 0x0F;
            m.Memory[(int)To + 1] = 0x0B;
            m.Bus.Interrupts.Enqueue(0x40);
            Assert.Equal(RunResult.Halted, m.Processor.Run());
            Assert.Equal((way, enable ? 0x40ul : 6ul), (way, m.State->Rip - 1 - ModeSetup.Handlers));
            Assert.Equal((way, enable ? 0 : 1), (way, m.Bus.Interrupts.Count));
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Flags_that_are_loaded_with_TF_trap(EngineKind engine)
    {
        foreach (bool return64 in new[] { false, true })
        {
            using TestMachine m = Machine(engine, GuestMode.Long, a =>
            {
                if (return64)
                {
                    a.push(ModeSetup.Data);
                    a.push(0x7000);
                    a.push((int)(Rflags.Fixed | Rflags.TF));
                    a.push(ModeSetup.Code64);
                    a.push((int)Gate);
                    a.iretq();
                }
                else
                {
                    a.mov(r11, Rflags.Fixed | Rflags.TF);
                    a.mov(rcx, Gate);
                    a.sysretq();
                }
            });
            m.Memory.Slice((int)Gate, 16).Fill(0x90);
            Assert.Equal(RunResult.Halted, m.Processor.Run());
            Assert.Equal((return64, 1ul), (return64, m.State->Rip - 1 - ModeSetup.Handlers));
            // IRET lets one instruction pass; SYSRET none. [SDM3 18.3.1.4] [APM3 SYSRET]
            Assert.Equal((return64, return64 ? Gate + 1 : Gate), (return64, *(ulong*)(m.Ram + m.State->Gpr[Register.Rsp])));
        }
    }

    /// <summary>Instructions that host code leaves to the interpreter, between others that pass a carry on.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Arithmetic_flags_live_across_system_instructions(EngineKind engine)
    {
        using TestMachine m = Machine(engine, GuestMode.Long, a =>
        {
            Label again = a.CreateLabel();
            a.mov(esi, Rounds);
            a.mov(edi, 0x20_0000);
            a.Label(ref again);
            a.stc();
            a.mov(rax, cr0);
            a.adc(r8, 0);
            a.stc();
            a.invlpg(__[rdi]);
            a.adc(r8, 0);
            a.stc();
            a.mov(rdx, __[rdi]);
            a.adc(r8, 0);
            a.stc();
            a.rdtsc();
            a.adc(r8, 0);
            a.dec(esi);
            a.jnz(again);
            a.hlt();
        });
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(4ul * Rounds, m.State->Gpr[8]);
    }

    /// <summary>Two pages that share an entry of the TLB are right, and not slow: each place that accesses them has its window. Two at a round distance do not share one.</summary>
    [Theory]
    [InlineData(0x140_0000ul, false)]
    [InlineData(0x140_1000ul, true)]
    [InlineData(0x80_0000ul, true)]
    [InlineData(0x60_0000ul, true)]
    public void Pages_of_the_tlb(ulong second, bool apart)
    {
        const ulong First = 0x40_1000;
        using var m = new TestMachine(24 << 20, EngineKind.Translator);
        Assert.Equal(!apart, Mem.Entry(m.State, First) == Mem.Entry(m.State, second));
        ModeSetup.Enter(m, GuestMode.Long, User);
        m.State->Gpr[Register.Rdi] = First;
        m.State->Gpr[Register.Rsi] = second;
        Write(m, User, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 1000);
            a.Label(ref again);
            a.add(__dword_ptr[rdi], ecx);
            a.mov(eax, __[rdi]);
            a.sub(__dword_ptr[rsi], eax);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        uint sum = 0, difference = 0;
        for (uint n = 1000; n != 0; n--)
        {
            sum += n;
            difference -= sum;
        }

        Assert.Equal((sum, difference), (*(uint*)(m.Ram + First), *(uint*)(m.Ram + second)));
        Assert.True(m.Processor.TranslatorStatistics.SlowAccesses < 50);
    }
}
