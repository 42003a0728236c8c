using Akvam.Cpu;
using Akvam.Isa.Tests.Oracle;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>Both engines on programs of integer and vector instructions. AKVAM_FUZZ sets the number of programs, AKVAM_SEED the first seed.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class VectorLockstepTests
{
    private const ulong Rip = 0x1_0000, Data = 0x2_0000;

    [Theory]
    [InlineData(GuestMode.Long, ulong.MaxValue)]
    [InlineData(GuestMode.LongUser, ulong.MaxValue)]
    [InlineData(GuestMode.Long, 500ul)]
    public void Generated_programs(GuestMode mode, ulong limit)
    {
        int programs = LockstepTests.Setting("AKVAM_FUZZ", 400), first = LockstepTests.Setting("AKVAM_SEED", 1);
        using var both = new Lockstep();
        long retired = 0;
        for (int n = 0; n < programs; n++)
        {
            int seed = first + n;
            both.Set(m => Prepare(m, mode, seed));
            LockstepTests.Check(both.Run(limit, out _), seed);
            retired += (long)both.Translated.State->Retired;
        }

        Assert.True(retired > programs * 20, $"{retired} instructions: the programs do nothing");
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > programs, "nothing was translated");
    }

    /// <summary>A masked store of nothing does not make its page dirty, though one beside it reads there.</summary>
    [Fact]
    public void Masked_stores_of_nothing()
    {
        using var both = new Lockstep();
        both.Set(m =>
        {
            Prepare(m, GuestMode.Long, 1);
            Assemble.Code64(Rip, a =>
            {
                a.vpxor(ymm3, ymm3, ymm3);
                a.vpmaskmovq(__[r13 + 0x240], ymm3, ymm8);
                a.mov(rax, __[r13 + 0x180]);
                a.hlt();
            }).CopyTo(m.Memory[(int)Rip..]);
        });
        LockstepTests.Check(both.Run(ulong.MaxValue, out RunResult result), 1);
        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(4ul, both.Translated.State->Retired);
    }

    /// <summary>The processor changes its engine every few instructions, and an SMI comes in between: the state is the same as if nothing had happened.</summary>
    [Fact]
    public void Migration_between_engines_and_SMIs()
    {
        int programs = LockstepTests.Setting("AKVAM_FUZZ", 400) / 4, first = LockstepTests.Setting("AKVAM_SEED", 1);
        using var both = new Lockstep();
        for (int n = 0; n < programs; n++)
        {
            int seed = first + n;
            both.Set(m =>
            {
                Prepare(m, GuestMode.Long, seed);

                // RSM
                m.Memory[0x3_8000] = 0x0F;
                m.Memory[0x3_8001] = 0xAA;
            });
            var random = new Random(seed);
            for (int part = 0; part < 12; part++)
            {
                ulong limit = (ulong)random.Next(1, 120);
                both.Translated.Processor.Engine = part % 3 == 1 ? EngineKind.Interpreter : EngineKind.Translator;
                if (random.Next(3) == 0)
                {
                    both.Set(m => m.State->SmiPending = 1);
                }

                LockstepTests.Check(both.Run(limit, out RunResult result), seed);
                if (result != RunResult.Limit)
                {
                    break;
                }
            }
        }
    }

    /// <summary>What the interpreter does for a guest that unmasks an exception, host code does not do, not even once. [SDM1 11.5.3]</summary>
    [Fact]
    public void Unmasked_exceptions_are_left_to_the_interpreter()
    {
        using var m = new TestMachine(engine: EngineKind.Translator);
        m.Processor.Cpuid.SetEntries(Akvam.Cpu.Cpuid.CpuidModel.Supported());
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        var a = new Assembler(64);
        Label again = a.CreateLabel();
        a.mov(ecx, 100);
        a.Label(ref again);
        a.addsd(xmm0, xmm1);
        a.dec(ecx);
        a.jnz(again);
        a.divsd(xmm0, xmm2);
        a.hlt();
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        m.State->Mxcsr = 0x1F80 & ~(4u << 7);
        *(double*)(m.State->Vector + 32) = 0.5;
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(ModeSetup.Handlers + (ulong)Akvam.Cpu.State.Vector.XM + 1, m.State->Rip);
        Assert.Equal(50.0, *(double*)m.State->Vector);
        Assert.Equal(4u, m.State->Mxcsr & 0x3F);
        Assert.Equal(301ul + 1, m.State->Retired);
    }

    [Fact]
    public void A_loop_of_vector_code_stays_in_host_code()
    {
        using var m = new TestMachine(engine: EngineKind.Translator);
        m.Processor.Cpuid.SetEntries(Akvam.Cpu.Cpuid.CpuidModel.Supported());
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        var a = new Assembler(64);
        Label again = a.CreateLabel();
        a.mov(ecx, 1000);
        a.Label(ref again);
        a.addpd(xmm0, __[rbx]);
        a.movaps(__[rbx + 16], xmm0);
        a.comisd(xmm0, xmm1);
        a.cvtsd2si(r13, xmm0);
        a.movd(xmm3, r13d);
        a.dec(ecx);
        a.jnz(again);
        a.hlt();
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        m.State->Gpr[Register.Rbx] = Data;
        *(double*)(m.Ram + Data) = 0.25;
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(250.0, *(double*)(m.Ram + Data + 16));
        Assert.Equal(250ul, m.State->Gpr[13]);
        Akvam.Cpu.Translator.TranslatorStatistics statistics = m.Processor.TranslatorStatistics;
        Assert.Equal(["Hlt"], statistics.Interpreted.Select(p => p.Key));
        Assert.InRange(statistics.SlowAccesses, 1, 4);
        Assert.InRange(statistics.Exits, 1, 10);
    }

    /// <summary>x87 code, FLDCW in it too, stays in host code; the pointers are those of the last instruction that computed.</summary>
    [Fact]
    public void A_loop_of_x87_code_stays_in_host_code()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx.IsSupported, "the host has no XSAVE");
        using TestMachine m = Assembled(EngineKind.Translator, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 1000);
            a.fldz();
            a.Label(ref again);
            a.fadd(__qword_ptr[rbx]);
            a.fld(st0);
            a.fldcw(__word_ptr[rbx + 8]);
            a.fistp(__dword_ptr[rbx + 16]);
            a.fldcw(__word_ptr[rbx + 10]);
            a.paddd(mm7, mm6);
            a.emms();
            a.fldz();
            a.fadd(__qword_ptr[rbx + 24]);
            a.fadd(__qword_ptr[rbx]);
            a.fst(__qword_ptr[rbx + 24]);
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        m.State->Gpr[Register.Rbx] = Data;
        *(double*)(m.Ram + Data) = 0.75;
        *(ushort*)(m.Ram + Data + 8) = 0xF7F;
        *(ushort*)(m.Ram + Data + 10) = 0x37F;
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(750.0, *(double*)(m.Ram + Data + 24));
        Assert.Equal(750, *(int*)(m.Ram + Data + 16));
        Assert.Equal(Data + 24, *(ulong*)(m.State->Fx + 16));
        Akvam.Cpu.Translator.TranslatorStatistics statistics = m.Processor.TranslatorStatistics;
        Assert.Equal(["Hlt"], statistics.Interpreted.Select(p => p.Key));
        Assert.InRange(statistics.Exits, 1, 15);
    }

    /// <summary>An exception that FLDCW unmasks: the host must not see it.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void Unmasked_x87_exceptions(EngineKind engine)
    {
        using TestMachine m = Assembled(engine, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 10);
            a.Label(ref again);
            a.fldz();
            a.fld1();
            a.fdivrp(st1, st0);
            a.fldcw(__word_ptr[rbx]);
            a.wait();
            a.dec(ecx);
            a.jnz(again);
            a.hlt();
        });
        m.State->Gpr[Register.Rbx] = Data;
        *(ushort*)(m.Ram + Data) = 0x37B;
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(ModeSetup.Handlers + (ulong)Akvam.Cpu.State.Vector.MF + 1, m.State->Rip);
        Assert.Equal(10ul, m.State->Gpr[Register.Rcx]);
        Assert.Equal(0x8084, *(ushort*)(m.State->Fx + 2) & 0x80FF);
    }

    private static TestMachine Assembled(EngineKind engine, Action<Assembler> code)
    {
        var m = new TestMachine(engine: engine);
        m.Processor.Cpuid.SetEntries(Akvam.Cpu.Cpuid.CpuidModel.Supported());
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        *(ushort*)m.State->Fx = 0x37F;
        m.State->Fx[4] = 0;
        var a = new Assembler(64);
        code(a);
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        return m;
    }

    private static void Prepare(TestMachine m, GuestMode mode, int seed)
    {
        var random = new Random(seed);
        m.Memory.Clear();
        ModeSetup.Enter(m, mode, Rip);
        m.State->Retired = 0;
        new ProgramGenerator(random, Rip, Data, new VectorGenerator(random)).Make().CopyTo(m.Memory[(int)Rip..]);
        random.NextBytes(m.Memory.Slice((int)Data, 8192));
        RandomState.Floats(m.Memory.Slice((int)Data, 8192), random);
        random.NextBytes(new Span<byte>(m.State->Vector, 512));
        RandomState.Floats(new Span<byte>(m.State->Vector, 512), random);
        LockstepTests.FillRegisters(m.State, random);
        // After RESET all x87 exceptions are unmasked.
        *(ushort*)m.State->Fx = (ushort)(seed % 8 == 0 ? 0x40 : 0x37F);
        m.State->Fx[4] = (byte)(seed % 3 == 0 ? 0xFF : 0);
        m.State->Gpr[Register.Rsp] = 0x7000;
        m.State->Gpr[Register.Rbx] = Data;
        m.State->Gpr[13] = Data + 0x1000;
        m.State->Gpr[Register.Rbp] = Data + 0x800;
        m.State->Gpr[14] = (ulong)random.Next(1, 40);
    }
}
