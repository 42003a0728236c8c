using System.Globalization;
using Akvam.Cpu;
using Akvam.Cpu.State;
using Iced.Intel;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// Both engines on the same programs: random bytes, and generated programs with loops, calls, and memory accesses that fault in the middle of a block.
/// AKVAM_FUZZ sets the number of programs, AKVAM_SEED the first seed.
/// </summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class LockstepTests
{
    private const ulong Rip = 0x1_0000, Data = 0x2_0000;

    [Theory]
    [InlineData(GuestMode.Long)]
    [InlineData(GuestMode.LongUser)]
    [InlineData(GuestMode.Compatibility32)]
    [InlineData(GuestMode.Protected32)]
    [InlineData(GuestMode.Pae)]
    [InlineData(GuestMode.BigReal)]
    [InlineData(GuestMode.Protected16)]
    public void Random_bytes(GuestMode mode)
    {
        int programs = Setting("AKVAM_FUZZ", 400), first = Setting("AKVAM_SEED", 1);
        using var both = new Lockstep();
        for (int n = 0; n < programs; n++)
        {
            int seed = first + n;
            both.Set(m =>
            {
                var random = new Random(seed);
                m.Memory.Clear();
                ModeSetup.Enter(m, mode, Rip);
                m.State->Retired = 0;
                random.NextBytes(m.Memory.Slice((int)Rip, 512));
                FillRegisters(m.State, random);
            });
            Check(both.Run(300, out _), seed);
        }
    }

    /// <summary>A loop, executed often enough to be translated and linked, that changes an immediate further on in its own block and one in another block.</summary>
    [Fact]
    public void Code_that_changes_itself()
    {
        using var both = new Lockstep();
        both.Set(m =>
        {
            ModeSetup.Enter(m, GuestMode.Long, Rip);
            m.State->Retired = 0;
            Span<byte> code = m.Memory[(int)Rip..];

            // mov ecx, 100; (5) add byte [10010], 3; jmp 0F; (0F) add al, imm; jmp 20; (20) add bl, imm; inc byte [10022]; dec ecx; jnz 5; hlt
            ((ReadOnlySpan<byte>)[0xB9, 100, 0, 0, 0, 0x80, 0x04, 0x25, 0x10, 0x00, 0x01, 0x00, 3, 0xEB, 0x00, 0x04, 0, 0xEB, 0x0D]).CopyTo(code);
            ((ReadOnlySpan<byte>)[0x80, 0xC3, 0, 0xFE, 0x04, 0x25, 0x22, 0x00, 0x01, 0x00, 0xFF, 0xC9, 0x75, 0xD7, 0xF4]).CopyTo(code[0x20..]);
        });
        Check(both.Run(ulong.MaxValue, out RunResult result), 0);
        Assert.Equal(RunResult.Halted, result);
        Assert.Equal(unchecked((byte)(3 * (100 * 101 / 2))), (byte)both.Translated.State->Gpr[Register.Rax]);
        Assert.Equal(unchecked((byte)(99 * 100 / 2)), (byte)both.Translated.State->Gpr[Register.Rbx]);
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > 4, "nothing was translated");
    }

    [Theory]
    [InlineData(GuestMode.Long, ulong.MaxValue)]
    [InlineData(GuestMode.LongUser, ulong.MaxValue)]
    [InlineData(GuestMode.Long, 700ul)]
    public void Generated_programs(GuestMode mode, ulong limit)
    {
        int programs = Setting("AKVAM_FUZZ", 400), first = Setting("AKVAM_SEED", 1);
        using var both = new Lockstep();
        long retired = 0;
        for (int n = 0; n < programs; n++)
        {
            Prepare(both, mode, first + n);
            Check(both.Run(limit, out _), first + n);
            retired += (long)both.Translated.State->Retired;
        }

        Assert.True(retired > programs * 20, $"{retired} instructions: the programs do nothing");
        Assert.True(both.Translated.Processor.TranslatorStatistics.Blocks > programs, "nothing was translated");
    }

    /// <summary>Accesses to pages at random, often enough that their places search without a hint: aligned or not, over a page's end too.</summary>
    [Fact]
    public void Accesses_here_and_there()
    {
        using var both = new Lockstep();
        both.Set(m =>
        {
            m.Memory.Clear();
            ModeSetup.Enter(m, GuestMode.Long, Rip);
            m.State->Retired = 0;
            new Random(1).NextBytes(m.Memory.Slice(0x4_0000, 0x6_0000));
            var a = new Assembler(64);
            Label again = a.CreateLabel();
            a.mov(AssemblerRegisters.ecx, 5000);
            a.Label(ref again);
            a.imul(AssemblerRegisters.rdx, AssemblerRegisters.rdx, 0x5DEE_CE65);
            a.add(AssemblerRegisters.rdx, 11);
            a.mov(AssemblerRegisters.rsi, AssemblerRegisters.rdx);
            a.shr(AssemblerRegisters.rsi, 20);
            a.and(AssemblerRegisters.esi, 0x1_FFFF);
            a.add(AssemblerRegisters.rax, AssemblerRegisters.__[AssemblerRegisters.rsi + 0x4_0000]);
            a.xor(AssemblerRegisters.__byte_ptr[AssemblerRegisters.rsi + 0x6_0000], AssemblerRegisters.al);
            a.movups(AssemblerRegisters.xmm0, AssemblerRegisters.__[AssemblerRegisters.rsi + 0x4_1000]);
            a.pxor(AssemblerRegisters.xmm1, AssemblerRegisters.xmm0);
            a.mov(AssemblerRegisters.__dword_ptr[AssemblerRegisters.rsi + 0x4_0004], AssemblerRegisters.eax);
            a.dec(AssemblerRegisters.ecx);
            a.jnz(again);
            a.hlt();
            var writer = new ProgramGenerator.ByteWriter();
            a.Assemble(writer, Rip);
            writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        });
        Check(both.Run(ulong.MaxValue, out RunResult result), 0);
        Assert.Equal(RunResult.Halted, result);

        // Most accesses over a page's end, and little else, are left to the interpreter.
        Assert.InRange(both.Translated.Processor.TranslatorStatistics.SlowAccesses, 1, 300);
    }

    [Fact]
    public void Common_instructions_are_not_left_to_the_interpreter()
    {
        using var m = new TestMachine(engine: EngineKind.Translator);
        ModeSetup.Enter(m, GuestMode.Long, Rip);
        var a = new Assembler(64);
        Label again = a.CreateLabel();
        a.mov(AssemblerRegisters.ecx, 1000);
        a.Label(ref again);
        a.push(AssemblerRegisters.r12);
        a.add(AssemblerRegisters.rax, AssemblerRegisters.__[AssemblerRegisters.rsp]);
        a.pop(AssemblerRegisters.r13);
        a.shl(AssemblerRegisters.rdx, 3);
        a.dec(AssemblerRegisters.ecx);
        a.jnz(again);
        a.hlt();
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, Rip);
        writer.Bytes.CopyTo(m.Memory[(int)Rip..]);
        Assert.Equal(RunResult.Halted, m.Processor.Run());
        Assert.Equal(6002ul, m.State->Retired);
        Akvam.Cpu.Translator.TranslatorStatistics statistics = m.Processor.TranslatorStatistics;
        Assert.Equal(["Hlt"], statistics.Interpreted.Select(p => p.Key));
        Assert.InRange(statistics.SlowAccesses, 1, 4);
        Assert.InRange(statistics.Exits, 1, 10);
    }

    /// <summary>A program of <see cref="ProgramGenerator"/>, ready to run.</summary>
    internal static void Prepare(Lockstep both, GuestMode mode, int seed) => both.Set(m =>
    {
        var random = new Random(seed);
        m.Memory.Clear();
        ModeSetup.Enter(m, mode, Rip);
        m.State->Retired = 0;
        new ProgramGenerator(random, Rip, Data).Make().CopyTo(m.Memory[(int)Rip..]);
        random.NextBytes(m.Memory.Slice((int)Data, 8192));
        FillRegisters(m.State, random);
        m.State->Gpr[Register.Rsp] = 0x7000;
        m.State->Gpr[Register.Rbx] = Data;
        m.State->Gpr[13] = Data + 0x1000;
        m.State->Gpr[Register.Rbp] = Data + 0x800;
        m.State->Gpr[14] = (ulong)random.Next(1, 40);
    });

    internal static void FillRegisters(CpuState* s, Random random)
    {
        for (int r = 0; r < 16; r++)
        {
            if (r != Register.Rsp)
            {
                s->Gpr[r] = random.Next(3) switch { 0 => (ulong)random.Next(0, 0x10_0000), 1 => (ulong)random.NextInt64(long.MinValue, long.MaxValue), _ => (ulong)random.Next(-100, 100) };
            }
        }
    }

    internal static void Check(string? difference, int seed) => Assert.True(difference == null, $"AKVAM_SEED={seed}: {difference}");

    internal static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;
}
