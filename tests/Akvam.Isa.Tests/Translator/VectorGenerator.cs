using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.Semantics.X87;
using Akvam.Isa.Tests.Oracle;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using Encoder = Iced.Intel.Encoder;
using IsaTable = Akvam.Cpu.Semantics.Isa;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// Vector instructions and newer general-register ones for <see cref="ProgramGenerator"/>: any of the table, most memory operands aligned, some not, some across
/// a page, few at an address that faults. Now and then MXCSR is changed, stored, or saved and restored with everything else.
/// </summary>
internal sealed class VectorGenerator(Random random)
{
    private static readonly Code[] s_codes = [.. VectorFamilies.Codes().Where(IsCandidate), .. Enum.GetValues<Code>().Where(IsGeneral)];
    private static readonly Code[] s_x87 = [.. X87Families.Codes().Where(code => IsaTable.Row(code).IsImplemented && code.ToOpCode().Mode64)];
    private readonly InstructionGenerator _generator = new(random);
    private bool _restored, _environment;

    /// <summary>Adds one instruction, or the few that a change of MXCSR takes.</summary>
    public void One(Assembler a)
    {
        if (random.Next(25) == 0)
        {
            State(a);
            return;
        }

        if (random.Next(40) == 0)
        {
            X87State(a);
            return;
        }

        Instruction? made = null;
        while (made == null)
        {
            Code[] codes = random.Next(4) == 0 ? s_x87 : s_codes;
            made = _generator.TryMake(codes[random.Next(codes.Length)], random.Next(2) == 0);
            if (made is { } x)
            {
                if (_generator.HasMemory)
                {
                    Address(ref x);
                }

                made = !Encoder.Create(64, new ProgramGenerator.ByteWriter()).TryEncode(x, 0, out _, out _) ? null : x;
            }
        }

        a.AddInstruction(made.Value);
    }

    private void Address(ref Instruction x)
    {
        x.MemoryIndex = Register.None;
        x.MemoryIndexScale = 1;
        int offset = random.Next(0, 100) * 32;
        switch (random.Next(60))
        {
            case 0:
                x.MemoryBase = Register.RAX;
                break;
            case 1 or 2:
                // RBX points at the start of a page.
                x.MemoryBase = Register.RBX;
                offset = 4096 - random.Next(1, 31);
                break;
            case 3 or 4:
                x.MemoryBase = Register.RBP;
                offset = random.Next(1000);
                break;
            case < 20:
                x.MemoryBase = Register.RBP;
                offset /= 2;
                break;
            case < 40:
                x.MemoryBase = Register.RBX;
                break;
            case < 45:
                x.MemoryBase = Register.RBX;
                x.MemoryIndex = Register.R14;
                x.MemoryIndexScale = 8;
                break;
            default:
                x.MemoryBase = Register.R13;
                break;
        }

        x.MemoryDisplacement64 = (ulong)offset;
        x.MemoryDisplSize = 8;
    }

    private void State(Assembler a)
    {
        switch (random.Next(6))
        {
            case 0:
                a.stmxcsr(__dword_ptr[rbx + (random.Next(100) * 4)]);
                break;
            case 1:
                a.fxsave64(__[r13 + 0x800]);
                _restored = true;
                break;
            case 2 when _restored:
                // Of the same iteration or an earlier one; the image may have been overwritten, and be refused.
                a.fxrstor64(__[r13 + 0x800]);
                break;
            case 3 when System.Runtime.Intrinsics.X86.Avx.IsSupported:
                a.vzeroupper();
                break;
            case 4 when random.Next(4) == 0:
                LoadMxcsr(a, 0x1F80 & ~(1 << random.Next(7, 13)));
                break;
            default:
                // Rounding, flush to zero, denormals are zeros; flags clear.
                LoadMxcsr(a, 0x1F80 | (random.Next(8) << 13) | (random.Next(2) << 6));
                break;
        }
    }

    private void X87State(Assembler a)
    {
        switch (random.Next(8))
        {
            case 0:
                a.fninit();
                break;
            case 1:
                a.fnclex();
                break;
            case 2:
                a.emms();
                break;
            case 3:
                a.fnstsw(ax);
                break;
            case 4:
                a.fnstenv(__[r13 + 0xC00]);
                _environment = true;
                break;
            case 5 when _environment:
                // Written over in the meantime it may unmask exceptions, or say that one is pending.
                a.fldenv(__[r13 + 0xC00]);
                break;
            case 6 when random.Next(3) == 0:
                LoadControl(a, 0x37F & ~(1 << random.Next(6)));
                break;
            default:
                // Precision and rounding.
                LoadControl(a, 0x7F | (random.Next(16) << 8));
                break;
        }
    }

    private void LoadControl(Assembler a, int value)
    {
        int at = 0xF40 + (random.Next(8) * 4);
        a.mov(__word_ptr[rbx + at], value);
        a.fldcw(__word_ptr[rbx + at]);
    }

    private void LoadMxcsr(Assembler a, int value)
    {
        int at = 0xF00 + (random.Next(8) * 4);
        a.mov(__dword_ptr[rbx + at], value);
        a.ldmxcsr(__dword_ptr[rbx + at]);
    }

    private static bool IsCandidate(Code code) => IsaTable.Row(code).IsImplemented && code.ToOpCode().Mode64 && VectorFamilies.HostHas(code);

    private static bool IsGeneral(Code code) => IsaTable.Row(code).IsImplemented && code.ToOpCode().Mode64 && code.Mnemonic() is Mnemonic.Lzcnt or Mnemonic.Tzcnt or Mnemonic.Andn or Mnemonic.Bextr or Mnemonic.Blsi
        or Mnemonic.Blsmsk or Mnemonic.Blsr or Mnemonic.Bzhi or Mnemonic.Mulx or Mnemonic.Pdep or Mnemonic.Pext or Mnemonic.Rorx or Mnemonic.Sarx or Mnemonic.Shlx
        or Mnemonic.Shrx or Mnemonic.Adcx or Mnemonic.Adox or Mnemonic.Movbe or Mnemonic.Crc32;
}
