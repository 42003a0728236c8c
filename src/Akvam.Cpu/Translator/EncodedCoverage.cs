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

        /// <summary>The x87 unit, which has the MMX registers.</summary>
        X87 = 64,

        /// <summary>The x87 unit remembers its address.</summary>
        Pointers = 128,
    }

    /// <summary>XSAVE is there where AVX is.</summary>
    private static readonly bool s_x87 = Avx.IsSupported;
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

        return x.HasLockPrefix || (memory && !IsAddressCovered(i, x, mode)) || Coverage.HasHighByte(x) || ((needs & Needs.Only64) != 0 && !Coverage.Is64(mode))
            ? Needs.Nothing
            : needs;
    }

    private static bool IsAddressCovered(Insn* i, in Instruction x, ModeKey mode) => Coverage.IsAddressCovered(i, mode) && !x.MemoryIndex.IsVectorRegister();

    private Needs Find(in Instruction x)
    {
        if (Coverage.HasMemory(x) && x.MemorySize.GetSize() is not (1 or 2 or 4 or 8 or 10 or 16 or 32))
        {
            return Needs.Nothing;
        }

        bool mmx = false, vector = false;
        for (int n = 0; n < x.OpCount; n++)
        {
            // Implied memory is left to the interpreter.
            OpKind kind = x.GetOpKind(n);
            if (kind is not (OpKind.Register or OpKind.Memory or OpKind.Immediate8 or OpKind.Immediate8_2nd))
            {
                return Needs.Nothing;
            }

            mmx |= kind == OpKind.Register && x.GetOpRegister(n).IsMM();
            vector |= kind == OpKind.Register && x.GetOpRegister(n).IsVectorRegister();
        }

        if (IsX87(x))
        {
            return !s_x87 ? Needs.Nothing : Needs.Covered | Needs.X87 | (Isa.Row(x.Code).Prepare != null ? Needs.Pointers : 0);
        }

        if (IsVector(x.Code))
        {
            return !VectorFamilies.HostHas(x.Code) || (mmx && !s_x87) ? Needs.Nothing
                : Needs.Covered
                | (vector || !mmx ? Needs.Vectors : 0)
                | (mmx ? Needs.X87 : 0)
                | (VectorNames.UsesMxcsr(x.Mnemonic) ? Needs.Float | Needs.Vectors : 0)
                | (NeedsAlignment(x) ? Needs.Alignment : 0)
                | (x.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Vzeroall ? Needs.Only64 : 0);
        }

        return HostHasGeneral(x.Mnemonic) ? Needs.Covered : Needs.Nothing;
    }

    /// <summary>All that compute; of those that look after the unit, the frequent ones.</summary>
    private static bool IsX87(in Instruction x) => x.Code is Code.Wait or Code.Emms or Code.Fldcw_m2byte or Code.Fnstcw_m2byte or Code.Fnstsw_m2byte or Code.Fnstsw_AX or Code.Fnclex
        || ((Isa.Row(x.Code).Legality & Legality.X87) != 0 && Isa.Row(x.Code).Prepare != null);

    private static bool IsVector(Code code) => code is Code.VEX_Vzeroupper or Code.VEX_Vzeroall
        || (Array.TrueForAll(code.CpuidFeatures(), HostFeatures.NeedsHost) && VectorFamilies.WhyNotOffered(code) == null);

    /// <summary>Of the form with memory, whose size is that of the vector. [SDM2 2.4] [SDM1 14.9]</summary>
    private static bool NeedsAlignment(in Instruction x) => Coverage.HasMemory(x) && x.MemorySize.GetSize() >= 16 && (x.Code.Encoding() == EncodingKind.Legacy
        ? !VectorNames.AllowsUnaligned(x.Mnemonic)
        : x.Mnemonic is Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Vmovntps or Mnemonic.Vmovntpd or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa);

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
