using System.Globalization;
using System.Runtime.InteropServices;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Smm;

/// <summary>
/// Random programs in every mode, with an SMI before every instruction and without: they end alike. The handler uses registers and flags, and memory of its own.
/// Host code is left for the interpreter near a limit, so programs for the translator are loops that SMIs interrupt after random numbers of instructions. It runs both:
/// flags that are undefined may differ between the engines.
/// AKVAM_FUZZ and AKVAM_SEED as for <see cref="FuzzCodeTests"/>.
/// </summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SmmTransparencyTests
{
    private const int Steps = 60, CodeBytes = 300, LoopBytes = 90, Chunks = 12, MostOfChunk = 260;

    /// <summary>mov eax, 12345678h; mov ebx, eax; xor edx, edx; mov cs:[9000h], ax; mov fs, dx; std; rsm.</summary>
    private static readonly byte[] s_handler =
        [0x66, 0xB8, 0x78, 0x56, 0x34, 0x12, 0x66, 0x89, 0xC3, 0x66, 0x31, 0xD2, 0x2E, 0xA3, 0x00, 0x90, 0x8E, 0xE2, 0xFD, 0x0F, 0xAA];

    private const ulong HandlerLength = 7;

    /// <summary>Instructions that hardly ever fault; X stands for a random byte, M for one that makes a register operand.</summary>
    private static readonly string[] s_templates =
    [
        "01 M", "11 M", "29 M", "31 M", "21 M", "39 M", "D1 M", "C1 M X", "F7 M", "FE M", "0F AF M", "0F BD M", "86 M", "88 M", "04 X", "34 X", "B0 X", "B4 X",
        "90", "98", "99", "9B", "F5", "F8", "F9", "FC", "FD", "F8", "9E", "9F", "50", "53", "58", "5B", "56", "5F", "9C 58", "E2 00", "70 01 90", "74 02 90 90", "77 00", "EB 01 CC",
        "A4", "AA", "AC", "D7", "FA", "FB", "FB 90", "9C 9D", "8C D8", "8C D0", "16 17", "1E 1F", "0F A2", "0F C8", "66 01 M", "67 8D 00", "0F 01 D0", "D9 E8", "DE C1", "0F 58 M", "F3 AA", "E6 X", "E4 X", "X X",
    ];

    /// <summary>Those that end a program at CPL 3, or in any 64-bit code, or anywhere: a loop would not come round.</summary>
    private static readonly string[] s_privileged = ["FA", "FB", "FB 90", "E6 X", "E4 X"], s_legacy = ["16 17", "1E 1F", "66 01 M"], s_wild = ["X X", "F3 AA", "F7 M", "FE M", "D9 E8", "DE C1"];

    public static TheoryData<GuestMode, bool> Modes() => SmmTransitionTests.ModesAndMaps();

    [Theory]
    [MemberData(nameof(Modes))]
    public void Seed0_18_a_program_does_not_notice_SMIs_between_any_two_instructions(GuestMode mode, bool longMap)
    {
        int programs = (Setting("AKVAM_FUZZ", 1500) / 50) + 1, seed = Setting("AKVAM_SEED", 1);
        using var plain = new SmmMachine(mode, longMap);
        using var disturbed = new SmmMachine(mode, longMap);
        int executed = 0;
        for (int n = 0; n < programs; n++)
        {
            Prepare(plain, mode, seed + n, s_templates);
            Prepare(disturbed, mode, seed + n, s_templates);
            bool alike = true;
            for (int step = 0; step < Steps; step++)
            {
                RunResult expected = Step(plain);
                if (HasSpoiltPdptes(plain))
                {
                    // RSM, which loads CR3, reads them again.
                    alike = false;
                    break;
                }

                Disturb(disturbed);
                RunResult actual = Step(disturbed);
                Assert.True(expected == actual && plain.Describe() == disturbed.Describe(), $"AKVAM_SEED={seed + n} step {step}: {expected}, {actual}\n{plain.Describe()}\n{disturbed.Describe()}");
                executed++;
                if (expected != RunResult.Limit)
                {
                    break;
                }
            }

            Assert.True(!alike || plain.Inner.Memory.SequenceEqual(disturbed.Inner.Memory), $"AKVAM_SEED={seed + n}: memory differs");
        }

        Assert.True(executed > programs * 4, $"{executed} instructions of {programs} programs");
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Seed0_18_a_translated_program_does_not_notice_SMIs_either(GuestMode mode, bool longMap)
    {
        int programs = (Setting("AKVAM_FUZZ", 1500) / 50) + 1, seed = Setting("AKVAM_SEED", 1), together = 0;
        using var plain = new SmmMachine(mode, longMap, EngineKind.Translator);
        using var disturbed = new SmmMachine(mode, longMap, EngineKind.Translator);
        for (int n = 0; n < programs; n++)
        {
            var random = new Random(~(seed + n));
            foreach (SmmMachine m in (SmmMachine[])[plain, disturbed])
            {
                Prepare(m, mode, seed + n, Loops(mode));
                new byte[] { 0xE9, 0, 0, 0, 0 }.CopyTo(m.Inner.Memory[((int)SmmMachine.Rip + LoopBytes)..]);
                bool small = (m.S->Mode & ModeKey.BitnessMask) == ModeKey.Code16;
                int back = -LoopBytes - (small ? 3 : 5);
                BitConverter.TryWriteBytes(m.Inner.Memory.Slice((int)SmmMachine.Rip + LoopBytes + 1, small ? 2 : 4), small ? (short)back : back);
            }

            bool alike = true;
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                ulong count = (ulong)random.Next(1, MostOfChunk), end = plain.S->Retired + count;
                RunResult expected = Advance(plain, count);
                if ((expected == RunResult.Limit && plain.S->Retired != end) || HasSpoiltPdptes(plain))
                {
                    // So many faults end a run too, wherever that is: the instruction to compare at never came.
                    alike = false;
                    break;
                }

                disturbed.EnterSmm();
                RunResult actual = Advance(disturbed, HandlerLength + count);
                Assert.True(
                    expected == actual && plain.Describe() == disturbed.Describe(),
                    $"AKVAM_SEED={seed + n} chunk {chunk} of {count}: {expected}, {actual}\n{plain.Describe()}\n{disturbed.Describe()}");
                together++;
                if (expected != RunResult.Limit)
                {
                    break;
                }
            }

            Assert.True(!alike || plain.Inner.Memory.SequenceEqual(disturbed.Inner.Memory), $"AKVAM_SEED={seed + n}: memory differs");
        }

        Assert.True(together > programs, $"{together} parts of {programs} programs");
        if (mode is GuestMode.Long or GuestMode.LongUser)
        {
            Assert.True(disturbed.Inner.Processor.TranslatorStatistics.Blocks > programs, "nothing was translated");
        }
    }

    /// <summary>The program wrote to the PDPTEs that the processor holds.</summary>
    private static bool HasSpoiltPdptes(SmmMachine m)
    {
        if ((m.S->Cr4 & Cr4.PAE) == 0 || (m.S->Efer & Efer.LMA) != 0)
        {
            return false;
        }

        var inMemory = MemoryMarshal.Cast<byte, ulong>(m.Inner.Memory.Slice((int)m.S->Cr3 & ~31, 4 * sizeof(ulong)));
        return !inMemory.SequenceEqual(new ReadOnlySpan<ulong>(m.S->Pdpte, 4));
    }

    private static string[] Loops(GuestMode mode) =>
    [
        .. s_templates.Except(s_wild).Except(mode is GuestMode.LongUser or GuestMode.Virtual8086 ? s_privileged : [])
            .Except(mode is GuestMode.Long or GuestMode.LongUser ? s_legacy : []),
    ];

    /// <summary>A number of instructions; whatever they ask of user space is answered with zeros.</summary>
    private static RunResult Advance(SmmMachine m, ulong count)
    {
        ulong end = m.S->Retired + count;
        RunResult result;
        while ((result = m.Run(end - m.S->Retired)) is RunResult.UserExit or RunResult.Kicked)
        {
            m.Inner.Processor.Pending.Complete();
        }

        return result;
    }

    private static void Prepare(SmmMachine m, GuestMode mode, int seed, string[] templates)
    {
        var random = new Random((seed * 16) + (int)mode);
        m.Inner.Processor.Pending.Clear();
        m.Inner.Memory.Clear();
        ModeSetup.Enter(m.Inner, mode, SmmMachine.Rip);
        m.Handler(s_handler);
        for (int n = 0; n < 16; n++)
        {
            m.S->Gpr[n] = n == Register.Rsp ? 0x7000 : n is Register.Rsi or Register.Rdi ? (ulong)random.Next(0x600, 0xF00) : (ulong)random.Next(0, 0x200);
        }

        Span<byte> code = m.Inner.Memory.Slice((int)SmmMachine.Rip, CodeBytes + 16);
        for (int at = 0; at < CodeBytes;)
        {
            foreach (string part in templates[random.Next(templates.Length)].Split(' '))
            {
                code[at++] = part switch
                {
                    "X" => (byte)random.Next(256),
                    "M" => (byte)random.Next(0xC0, 0x100),
                    _ => byte.Parse(part, NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                };
            }
        }
    }

    private static void Disturb(SmmMachine m)
    {
        m.EnterSmm();
        m.Run(HandlerLength);
        Assert.Equal(0, m.S->InSmm);
    }

    /// <summary>One instruction, with whatever it asks of user space answered with zeros.</summary>
    private static RunResult Step(SmmMachine m)
    {
        RunResult result = m.Run(1);
        while (result is RunResult.UserExit or RunResult.Kicked)
        {
            m.Inner.Processor.Pending.Complete();
            result = m.Run(0);
        }

        return result;
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;
}
