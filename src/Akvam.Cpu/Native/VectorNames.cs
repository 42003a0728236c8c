using Iced.Intel;

namespace Akvam.Cpu.Native;

/// <summary>What Iced's tables do not say about vector instructions, by mnemonic. A leading V does not matter.</summary>
internal static class VectorNames
{
    private static readonly string[] s_arithmetic =
    [
        "Add", "Sub", "Mul", "Div", "Sqrt", "Min", "Max", "Cmp", "Comi", "Ucomi", "Addsub", "Hadd", "Hsub", "Round", "Dp", "Cvt", "Cvtt", "Fmadd", "Fmsub", "Fnmadd", "Fnmsub",
        "Fmaddsub", "Fmsubadd",
    ];

    private static readonly string[] s_underflowing =
        ["Add", "Sub", "Mul", "Div", "Addsub", "Hadd", "Hsub", "Dp", "Fmadd", "Fmsub", "Fnmadd", "Fnmsub", "Fmaddsub", "Fmsubadd"];

    /// <summary>True for floating-point arithmetic and conversions: rounded by MXCSR, or setting flags there. [SDM1 E.4]</summary>
    public static bool UsesMxcsr(Mnemonic mnemonic)
    {
        string name = Base(mnemonic);
        return name.StartsWith("Cvt", StringComparison.Ordinal) || (Format(name) != 0 && Array.IndexOf(s_arithmetic, Stem(name)) >= 0);
    }

    /// <summary>
    /// Bytes of an element of the result (2, 4 or 8) and whether there is only one, of an instruction that can have a tiny result; 0 for others.
    /// </summary>
    public static (int Size, bool Scalar) Underflow(Mnemonic mnemonic)
    {
        string name = Base(mnemonic);
        switch (name)
        {
            case "Cvtpd2ps":
                return (4, false);
            case "Cvtsd2ss":
                return (4, true);
            case "Cvtps2ph":
                return (2, false);
        }

        return Array.IndexOf(s_underflowing, Stem(name)) < 0 ? (0, false) : Format(name) switch
        {
            'S' => (4, name[^2] == 's'),
            'D' => (8, name[^2] == 's'),
            _ => (0, false),
        };
    }

    /// <summary>Legacy instructions whose 16-byte operand needs no alignment. [SDM1 14.9] [SDM2 2.4]</summary>
    public static bool AllowsUnaligned(Mnemonic mnemonic) => mnemonic is Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu
        or Mnemonic.Pcmpestri or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm or Mnemonic.Pcmpestrm64 or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm;

    public static ImplicitOperands Implicit(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Blendvps or Mnemonic.Blendvpd or Mnemonic.Pblendvb or Mnemonic.Sha256rnds2 => ImplicitOperands.Xmm0In,
        Mnemonic.Pcmpestri or Mnemonic.Pcmpestri64 or Mnemonic.Vpcmpestri or Mnemonic.Vpcmpestri64 => ImplicitOperands.Lengths | ImplicitOperands.EcxOut,
        Mnemonic.Pcmpestrm or Mnemonic.Pcmpestrm64 or Mnemonic.Vpcmpestrm or Mnemonic.Vpcmpestrm64 => ImplicitOperands.Lengths | ImplicitOperands.Xmm0Out,
        Mnemonic.Pcmpistri or Mnemonic.Vpcmpistri => ImplicitOperands.EcxOut,
        Mnemonic.Pcmpistrm or Mnemonic.Vpcmpistrm => ImplicitOperands.Xmm0Out,
        _ => ImplicitOperands.None,
    };

    /// <summary>True for flags of RFLAGS; Iced's set also has the x87 condition codes.</summary>
    public static bool TouchesFlags(RflagsBits flags) => (flags & (RflagsBits.CF | RflagsBits.PF | RflagsBits.AF | RflagsBits.ZF | RflagsBits.SF | RflagsBits.OF)) != 0;

    private static string Base(Mnemonic mnemonic)
    {
        string name = mnemonic.ToString();
        return name[0] == 'V' ? char.ToUpperInvariant(name[1]) + name[2..] : name;
    }

    /// <summary>'S' for PS and SS, 'D' for PD and SD, 0 for anything else.</summary>
    private static char Format(string name) => name.Length < 3 || name[^2] is not ('p' or 's') ? '\0' : name[^1] switch { 's' => 'S', 'd' => 'D', _ => '\0' };

    /// <summary>The name without its format and, for the fused ones, the order of operands.</summary>
    private static string Stem(string name)
    {
        string stem = name[..^2];
        return stem.Length > 3 && char.IsAsciiDigit(stem[^1]) ? stem[..^3] : stem;
    }
}
