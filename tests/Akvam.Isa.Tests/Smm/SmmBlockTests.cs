using Akvam.Cpu;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;
using Akvam.Isa.Tests.Translator;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Register = Akvam.Cpu.State.Register;

namespace Akvam.Isa.Tests.Smm;

/// <summary>SMIs in translated blocks that go on behind conditional jumps (<c>BlockCache.Extend</c>): the program ends as it does on the interpreter without SMIs.</summary>
/// <remarks>Valid for the machines it makes.</remarks>
public sealed unsafe class SmmBlockTests
{
    private const int Rounds = 40;
    private const ulong LoopStart = SmmMachine.Rip + 5;
    private const ulong Data = 0x2_0000, Device = 0x18_0000, HandlerLength = 5;

    /// <summary>inc word cs:[9000h]; mov eax, 12345678h; xor edx, edx; std; rsm.</summary>
    private static readonly byte[] s_handler = [0x2E, 0xFF, 0x06, 0x00, 0x90, 0x66, 0xB8, 0x78, 0x56, 0x34, 0x12, 0x66, 0x31, 0xD2, 0xFD, 0x0F, 0xAA];

    /// <summary>The instructions of the loop, one or two at a time: its flags come from comparisons, from memory, from bit tests and from shifts.</summary>
    private static readonly Action<Assembler, Label, Label, Label>[] s_parts =
    [
        (a, _, _, _) => a.mov(eax, ecx),
        (a, _, _, _) => a.and(eax, 7),
        (a, _, _, _) => a.cmp(eax, 3),
        (a, one, _, _) => a.je(one),
        (a, _, _, _) => a.add(rdx, rax),
        (a, _, _, _) => a.cmp(__qword_ptr[rdi + (rcx * 8)], 2),
        (a, _, two, _) => a.ja(two),
        (a, _, _, _) => a.push(rdx),
        (a, _, _, _) => a.inc(r8),
        (a, _, _, _) => a.pop(r9),
        (a, _, _, _) => a.bt(ecx, 1),
        (a, _, _, three) => a.jb(three),
        (a, _, _, _) => a.adc(rbx, 5),
        (a, _, _, _) => a.shl(rbx, 3),
        (a, one, _, _) => a.js(one),
        (a, _, _, _) => a.sub(r11, rbx),
        (a, one, _, _) =>
        {
            a.Label(ref one);
            a.sbb(r9, rcx);
        },
        (a, _, _, _) => a.mov(__[rdi + (rcx * 8)], r9),
        (a, _, _, three) => a.jp(three),
        (a, _, two, _) =>
        {
            a.Label(ref two);
            a.adc(r10, 1);
        },
        (a, _, _, _) => a.neg(rdx),
        (a, _, _, three) =>
        {
            a.Label(ref three);
            a.setb(al);
        },
        (a, _, _, _) => a.sub(ecx, 1),
    ];

    public static TheoryData<int, bool> Places()
    {
        TheoryData<int, bool> places = [];
        for (int n = 0; n < s_parts.Length; n++)
        {
            places.Add(n, false);
            places.Add(n, true);
        }

        return places;
    }

    [Fact]
    public void At_every_instruction_boundary()
    {
        byte[] code = Assemble(place: -1);
        using SmmMachine plain = Machine(EngineKind.Interpreter), disturbed = Machine(EngineKind.Translator);
        Prepare(plain, code);
        Assert.Equal(RunResult.Halted, plain.Run(ulong.MaxValue));
        ulong length = plain.S->Retired;

        // From here on the loop is host code from the first boundary on.
        Prepare(disturbed, code);
        Assert.Equal(RunResult.Halted, disturbed.Run(ulong.MaxValue));
        long blocks = disturbed.Inner.Processor.TranslatorStatistics.Blocks;
        Assert.InRange(blocks, 1, 12);
        for (ulong boundary = 0; boundary < length; boundary++)
        {
            Prepare(disturbed, code);
            Assert.Equal(RunResult.Limit, disturbed.Run(boundary));
            string before = disturbed.Describe();
            disturbed.EnterSmm();
            Assert.Equal(RunResult.Limit, disturbed.Run(HandlerLength));
            Assert.True(before == disturbed.Describe(), $"after {boundary}:\n{before}\n{disturbed.Describe()}");
            Assert.Equal(RunResult.Halted, disturbed.Run(ulong.MaxValue));
            Assert.Equal(length + HandlerLength, disturbed.S->Retired);
            AssertAlike(plain, disturbed, $"after {boundary}");
        }

        Assert.Equal((ushort)length, BitConverter.ToUInt16(disturbed.Smram[0x9000..]));

        // Most of it was host code.
        Assert.InRange(disturbed.Inner.Processor.TranslatorStatistics.Cold, 0, (long)(length * length / 4));
    }

    /// <summary>
    /// A device asks for the SMI while the block runs: when it is written to, the SMI comes before the next instruction; when it is read, when the loop comes round, with flags
    /// that are nowhere but in registers.
    /// </summary>
    [Theory]
    [MemberData(nameof(Places))]
    public void Asked_for_at_every_place(int place, bool read)
    {
        byte[] code = Assemble(place, read);
        using SmmMachine plain = Machine(EngineKind.Interpreter), disturbed = Machine(EngineKind.Translator);
        plain.Inner.Bus.MmioWrite = plain.Inner.Bus.MmioRead = address => address == Device;
        disturbed.Inner.Bus.MmioWrite = disturbed.Inner.Bus.MmioRead = address =>
        {
            if (disturbed.S->Gpr[Register.Rcx] > 1)
            {
                // In the last round it could come after the HLT, which it would end.
                disturbed.S->SmiPending = 1;
                Processor.Post(disturbed.S, Request.Evaluate);
            }

            return address == Device;
        };
        Prepare(plain, code);
        Prepare(disturbed, code);
        List<string> states = [Registers(plain.S)];
        while (plain.Run(1) == RunResult.Limit)
        {
            states.Add(Registers(plain.S));
        }

        int inLoop = 0;
        disturbed.Inner.Processor.Trace = disturbed;
        disturbed.Traced = () =>
        {
            if (disturbed.Trace[^1].Contains("entering", StringComparison.Ordinal))
            {
                int executed = (int)(disturbed.S->Retired - (HandlerLength * disturbed.S->SmiCount));
                Assert.Equal(states[executed], Registers(disturbed.S));
                inLoop += read == (disturbed.S->Rip == LoopStart) ? 1 : 0;
            }
        };
        Assert.Equal(RunResult.Halted, disturbed.Run(ulong.MaxValue));
        AssertAlike(plain, disturbed, $"at {place}");
        Assert.InRange(inLoop, 3, 60);
        Assert.Equal(disturbed.S->SmiCount, disturbed.Smram[0x9000]);
        Assert.Equal(plain.S->Retired + (HandlerLength * disturbed.S->SmiCount), disturbed.S->Retired);
        Assert.InRange(disturbed.Inner.Processor.TranslatorStatistics.Blocks, 1, 12);
    }

    private static string Registers(CpuState* s) => $"{string.Join(' ', new ReadOnlySpan<ulong>(s->Gpr, 16).ToArray())} at {s->Rip:x} flags {LazyFlags.Read(s):x}";

    private static SmmMachine Machine(EngineKind engine)
    {
        var m = new SmmMachine(GuestMode.Long, engine: engine);
        m.Inner.Processor.Trace = null;
        return m;
    }

    private static void Prepare(SmmMachine m, byte[] code)
    {
        ModeSetup.Enter(m.Inner, GuestMode.Long, SmmMachine.Rip);
        m.Handler(s_handler);
        var random = new Random(1);
        foreach (ref ulong value in new Span<ulong>(m.Inner.Ram + Data, Rounds + 1))
        {
            value = (ulong)random.Next(4);
        }

        code.CopyTo(m.Inner.Memory[(int)SmmMachine.Rip..]);
        m.S->Retired = 0;
        m.S->Gpr[Register.Rdi] = Data;
        m.S->Gpr[14] = Device;
    }

    /// <summary>The loop, with an access to the device before one of its parts; -1: without.</summary>
    private static byte[] Assemble(int place, bool read = false)
    {
        var a = new Assembler(64);
        Label again = a.CreateLabel(), one = a.CreateLabel(), two = a.CreateLabel(), three = a.CreateLabel();
        a.mov(ecx, Rounds);
        a.Label(ref again);
        for (int n = 0; n < s_parts.Length; n++)
        {
            if (n == place && read)
            {
                a.mov(r15d, __[r14]);
            }
            else if (n == place)
            {
                a.mov(__[r14], ecx);
            }

            s_parts[n](a, one, two, three);
        }

        a.jnz(again);
        a.hlt();
        var writer = new ProgramGenerator.ByteWriter();
        a.Assemble(writer, SmmMachine.Rip);
        return writer.Bytes;
    }

    private static void AssertAlike(SmmMachine plain, SmmMachine disturbed, string where)
    {
        Assert.True(plain.Describe() == disturbed.Describe(), $"{where}:\n{plain.Describe()}\n{disturbed.Describe()}");
        Assert.True(plain.Inner.Memory.SequenceEqual(disturbed.Inner.Memory), $"{where}: memory differs");
    }
}
