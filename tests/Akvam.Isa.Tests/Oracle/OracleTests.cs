using System.Globalization;
using System.Text;
using Akvam.Cpu;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Iced.Intel;
using Encoder = Iced.Intel.Encoder;
using IsaTable = Akvam.Cpu.Semantics.Isa;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>
/// Every row of the table that can run at CPL 3 in 64-bit mode, in every operand form, with random operands and state, on Akvam and on the host's own
/// processor. Undefined flags (Iced's table) are masked; the engines agree on these, too. AKVAM_ORACLE_ROUNDS sets the cases per form, AKVAM_SEED the seed.
/// </summary>
/// <remarks>Valid for the life of the two processors it makes.</remarks>
[Collection("Host processor")]
public sealed unsafe class OracleTests
{
    private const ulong FlagsCompared = Rflags.Lazy | Rflags.DF;

    private static readonly int s_rounds = Number("AKVAM_ORACLE_ROUNDS", 40);
    private static readonly int s_seed = Number("AKVAM_SEED", 20261121);

    /// <summary>What memory is filled with: cut out at random places.</summary>
    private static readonly byte[] s_noise = RandomState.Noise(4 * HostCpu.ScratchBytes, s_seed);

    public static TheoryData<EngineKind, string> Families()
    {
        var data = new TheoryData<EngineKind, string>();
        foreach (string family in Enum.GetValues<Code>().Where(IsCandidate).Select(Family).Distinct().Order())
        {
            data.Add(EngineKind.Interpreter, family);
            data.Add(EngineKind.Translator, family);
        }

        return data;
    }

    [Fact]
    public void Both_engines_complete_what_does_not_fault()
    {
        foreach (EngineKind engine in Enum.GetValues<EngineKind>())
        {
            using var guest = new GuestCpu(engine);
            var state = new MachineState { Rflags = Rflags.Fixed };
            state.Gpr[0] = 40;
            state.Gpr[3] = 2;

            // add eax, ebx
            Assert.True(guest.Run([0x01, 0xD8], &state));
            Assert.Equal(42ul, state.Gpr[0]);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Agrees_with_the_host(EngineKind engine, string family)
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.X86Base.IsSupported, "the oracle is an x86-64 host");
        using var host = new HostCpu();
        using var guest = new GuestCpu(engine);
        using GuestCpu? reference = engine == EngineKind.Translator ? new GuestCpu(EngineKind.Interpreter) : null;
        var failures = new StringBuilder();
        int failed = 0, compared = 0;
        foreach (Code code in Enum.GetValues<Code>().Where(c => IsCandidate(c) && Family(c) == family))
        {
            foreach (bool memory in (bool[])[false, true])
            {
                for (int round = 0; round < s_rounds; round++)
                {
                    int seed = HashCode(code, memory, round);
                    string? difference = Compare(host, guest, reference, code, memory, seed, ref compared);
                    if (difference != null)
                    {
                        if (failed++ < 8)
                        {
                            failures.AppendLine(CultureInfo.InvariantCulture, $"seed {seed}: {difference}");
                        }

                        break;
                    }
                }
            }
        }

        Assert.True(failed == 0, $"{failed} forms differ:\n{failures}");
    }

    private static int HashCode(Code code, bool memory, int round) => (((int)code * 2) + (memory ? 1 : 0)) * 100_003 + round + s_seed;

    private static string? Compare(HostCpu host, GuestCpu guest, GuestCpu? reference, Code code, bool memory, int seed, ref int compared)
    {
        var random = new Random(seed);
        var generator = new InstructionGenerator(random);
        if (generator.TryMake(code, memory) is not { } x)
        {
            return null;
        }

        var writer = new ByteWriter();
        if (!Encoder.Create(64, writer).TryEncode(x, HostCpu.CodeAddress, out _, out string? error))
        {
            // AH and its like exclude REX: that choice of operands does not exist.
            return error.Contains("REX prefix", StringComparison.Ordinal) ? null : $"{code}: cannot encode: {error}";
        }

        byte[] bytes = writer.Bytes;
        var state = new MachineState();
        RandomState.Fill(&state, random, generator, x);
        s_noise.AsSpan(random.Next(s_noise.Length - HostCpu.ScratchBytes) & ~7, HostCpu.ScratchBytes).CopyTo(guest.Scratch);
        guest.Scratch.CopyTo(HostCpu.Scratch);
        MachineState before = state, mine = state;
        if (reference != null)
        {
            guest.Scratch.CopyTo(reference.Scratch);
        }

        bool done = guest.Run(bytes, &mine);
        if (done && reference != null)
        {
            // What the manuals leave undefined, too.
            MachineState interpreted = before;
            reference.Run(bytes, &interpreted);
            if (StateDifference.Find(&mine, &interpreted, FlagsCompared, guest.Scratch, reference.Scratch) is { } difference)
            {
                return $"{x} [{Convert.ToHexString(bytes)}] the interpreter: {difference}";
            }
        }

        if (!done || IsResultUndefined(x, state.Gpr[Akvam.Cpu.State.Register.Rcx]))
        {
            // Faults have vectors of their own; the host would deliver a signal.
            return null;
        }

        *host.State = before;
        host.Run(bytes);
        compared++;
        MachineState* theirs = host.State;
        ulong flags = FlagsCompared & ~UndefinedFlags(x);
        return StateDifference.Find(&mine, theirs, flags, guest.Scratch, HostCpu.Scratch) is { } d ? $"{x} [{Convert.ToHexString(bytes)}] {d}" : null;
    }

    /// <summary>SHLD and SHRD of 16 bits by more than 16: processors shift in different bits. [APM3 SHLD]</summary>
    private static bool IsResultUndefined(in Instruction x, ulong rcx)
    {
        if (x.Mnemonic is not (Mnemonic.Shld or Mnemonic.Shrd))
        {
            return false;
        }

        ulong count = x.GetOpKind(2) == OpKind.Immediate8 ? x.GetImmediate(2) : rcx;
        return (x.Op0Kind == OpKind.Register ? x.Op0Register.GetSize() : x.MemorySize.GetSize()) == 2 && (count & 31) > 16;
    }

    private static ulong UndefinedFlags(in Instruction x)
    {
        RflagsBits u = x.RflagsUndefined;

        // Iced takes OF for unchanged where a rotation through CF by more than 1 comes back to where it began; some processors compute it. [APM3 RCL]
        u |= x.Mnemonic is Mnemonic.Rcl or Mnemonic.Rcr && x.Op1Kind == OpKind.Immediate8 && x.GetImmediate(1) != 1 ? RflagsBits.OF : RflagsBits.None;
        return ((u & RflagsBits.CF) != 0 ? Rflags.CF : 0) | ((u & RflagsBits.PF) != 0 ? Rflags.PF : 0) | ((u & RflagsBits.AF) != 0 ? Rflags.AF : 0)
            | ((u & RflagsBits.ZF) != 0 ? Rflags.ZF : 0) | ((u & RflagsBits.SF) != 0 ? Rflags.SF : 0) | ((u & RflagsBits.OF) != 0 ? Rflags.OF : 0);
    }

    /// <summary>Rows that run at CPL 3 in 64-bit mode, without control flow, and with the same result every time.</summary>
    private static bool IsCandidate(Code code)
    {
        if (!IsaTable.Row(code).IsImplemented)
        {
            return false;
        }

        OpCodeInfo info = code.ToOpCode();
        if (!info.Mode64 || (IsaTable.Row(code).Legality & (Legality.Cpl0 | Legality.Smm | Legality.Svm)) != 0)
        {
            return false;
        }

        Instruction x = default;
        x.Code = code;
        if (x.FlowControl != FlowControl.Next || x.IsPrivileged)
        {
            return false;
        }

        // PREFETCHW's opcode with a register: a NOP here and on Intel's processors, an invalid opcode on AMD's.
        if (x.Mnemonic == Mnemonic.Reservednop)
        {
            return false;
        }

        // Time, randomness, identity, registers or memory that the two do not share, and what only AMD's processors have.
        return x.Mnemonic is not (Mnemonic.Rdtsc or Mnemonic.Rdtscp or Mnemonic.Rdrand or Mnemonic.Rdseed or Mnemonic.Cpuid or Mnemonic.Rdpid or Mnemonic.Xgetbv or Mnemonic.Rdpmc
            or Mnemonic.Rdfsbase or Mnemonic.Rdgsbase or Mnemonic.Wrfsbase or Mnemonic.Wrgsbase or Mnemonic.Rdpkru or Mnemonic.Wrpkru or Mnemonic.Vmcall or Mnemonic.Vmmcall
            or Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq or Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq or Mnemonic.Enter or Mnemonic.Leave
            or Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw or Mnemonic.Sldt or Mnemonic.Str or Mnemonic.Sgdt or Mnemonic.Sidt or Mnemonic.Smsw
            or Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Xrstor or Mnemonic.Xrstor64 or Mnemonic.Xrstors or Mnemonic.Xrstors64 or Mnemonic.Xsave or Mnemonic.Xsave64
            or Mnemonic.Xsavec or Mnemonic.Xsavec64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64 or Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Ldmxcsr or Mnemonic.Fldenv or Mnemonic.Frstor
            or Mnemonic.Fnstenv or Mnemonic.Fnsave or Mnemonic.Fldcw or Mnemonic.Monitor or Mnemonic.Mwait or Mnemonic.Monitorx or Mnemonic.Mwaitx or Mnemonic.Xlatb or Mnemonic.Clzero
            or Mnemonic.Lss or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lds or Mnemonic.Les) && info.Encoding != EncodingKind.EVEX;
    }

    private static string Family(Code code)
    {
        CpuidFeature[] features = [.. code.CpuidFeatures()];
        return features.Length == 0 ? "base" : features[0].ToString();
    }

    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n : otherwise;

    private sealed class ByteWriter : CodeWriter
    {
        private readonly List<byte> _bytes = [];

        public byte[] Bytes => [.. _bytes];

        public override void WriteByte(byte value) => _bytes.Add(value);
    }
}
