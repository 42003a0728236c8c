using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Native;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>Which vector and newer general-register instructions are encoded anew for the host, and what each of them needs. Asked once for each form of a code, then remembered.</summary>
/// <remarks>Valid for instructions of a block.</remarks>
internal sealed unsafe class EncodedCoverage
{
    /// <summary>What host code of an instruction has to see to.</summary>
    [Flags]
    public enum Needs : byte
    {
        Nothing = 0,

        /// <summary>Looked at already.</summary>
        Known = 1,
        Covered = 2,

        /// <summary>Vector registers.</summary>
        Vectors = 4,

        /// <summary>The guest's MXCSR.</summary>
        Float = 8,

        /// <summary>A memory operand aligned to its size.</summary>
        Alignment = 16,

        /// <summary>Has this meaning in 64-bit code only.</summary>
        Only64 = 32,
    }

    private readonly Needs[] _needs = new Needs[2 * Isa.Count];
    private readonly bool _adx = HasLeaf7(1, 19), _movbe = X86Base.IsSupported && (X86Base.CpuId(1, 0).Ecx & (1 << 22)) != 0;

    /// <summary>Without <see cref="Needs.Covered"/>: the instruction is interpreted.</summary>
    public Needs Of(Insn* i, in Instruction x, ModeKey mode)
    {
        ref readonly IsaRow row = ref Isa.Row(x.Code);
        bool memory = Coverage.HasMemory(x);
        if (row.Prepare == null)
        {
            // A handler that is not the row's was put there by a legality check.
            if ((nint)i->Execute != (nint)(memory ? row.Memory : row.Register))
            {
                return Needs.Nothing;
            }
        }
        else if (i->Imm <= byte.MaxValue)
        {
            // No stub: rejected by a legality check, or nothing this host can do.
            return Needs.Nothing;
        }

        ref Needs needs = ref _needs[(2 * (int)x.Code) + (memory ? 1 : 0)];
        if (needs == Needs.Nothing)
        {
            needs = Find(x) | Needs.Known;
        }

        return x.HasLockPrefix || (memory && !IsAddressCovered(i, x)) || Coverage.HasHighByte(x) || ((needs & Needs.Only64) != 0 && (mode & ModeKey.BitnessMask) != ModeKey.Code64)
            ? Needs.Nothing
            : needs;
    }

    /// <summary>What changes MXCSR otherwise than by setting flags: its exception masks are looked at again in the next block.</summary>
    public static bool LoadsMxcsr(in Instruction x) => x.Mnemonic is Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr or Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Xrstor
        or Mnemonic.Xrstor64 or Mnemonic.Xrstors or Mnemonic.Xrstors64;

    private static bool IsAddressCovered(Insn* i, in Instruction x) => Coverage.IsAddressCovered(i) && !x.MemoryIndex.IsVectorRegister();

    private Needs Find(in Instruction x)
    {
        if (Coverage.HasMemory(x) && x.MemorySize.GetSize() is not (1 or 2 or 4 or 8 or 16 or 32))
        {
            return Needs.Nothing;
        }

        for (int n = 0; n < x.OpCount; n++)
        {
            // MMX registers are the x87 unit's; implied memory is left to the interpreter.
            OpKind kind = x.GetOpKind(n);
            if (kind is not (OpKind.Register or OpKind.Memory or OpKind.Immediate8 or OpKind.Immediate8_2nd) || (kind == OpKind.Register && x.GetOpRegister(n).IsMM()))
            {
                return Needs.Nothing;
            }
        }

        if (IsVector(x.Code))
        {
            return !VectorFamilies.HostHas(x.Code) ? Needs.Nothing
                : Needs.Covered | Needs.Vectors
                | (VectorNames.UsesMxcsr(x.Mnemonic) ? Needs.Float : 0)
                | (NeedsAlignment(x) ? Needs.Alignment : 0)
                | (x.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Vzeroall ? Needs.Only64 : 0);
        }

        return HostHasGeneral(x.Mnemonic) ? Needs.Covered : Needs.Nothing;
    }

    private static bool IsVector(Code code) => code is Code.VEX_Vzeroupper or Code.VEX_Vzeroall
        || (Array.TrueForAll(code.CpuidFeatures(), HostFeatures.NeedsHost) && VectorFamilies.WhyNotOffered(code) == null);

    /// <summary>Of the form with memory, whose size is that of the vector. [SDM2 2.4] [SDM1 14.9]</summary>
    private static bool NeedsAlignment(in Instruction x) => x.Code.Encoding() == EncodingKind.Legacy
        ? !VectorNames.AllowsUnaligned(x.Mnemonic)
        : x.Mnemonic is Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Vmovntps or Mnemonic.Vmovntpd or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa;

    private bool HostHasGeneral(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Andn or Mnemonic.Bextr or Mnemonic.Blsi or Mnemonic.Blsmsk or Mnemonic.Blsr => Bmi1.IsSupported,
        Mnemonic.Bzhi or Mnemonic.Mulx or Mnemonic.Pdep or Mnemonic.Pext or Mnemonic.Rorx or Mnemonic.Sarx or Mnemonic.Shlx or Mnemonic.Shrx => Bmi2.IsSupported,
        Mnemonic.Adcx or Mnemonic.Adox => _adx,
        Mnemonic.Movbe => _movbe,
        Mnemonic.Crc32 => Sse42.IsSupported,
        _ => false,
    };

    private static bool HasLeaf7(int register, int bit)
    {
        if (!X86Base.IsSupported || X86Base.CpuId(0, 0).Eax < 7)
        {
            return false;
        }

        (int eax, int ebx, _, _) = X86Base.CpuId(7, 0);
        return ((register == 0 ? eax : ebx) & (1 << bit)) != 0;
    }
}
