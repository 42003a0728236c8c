using Akvam.Cpu.Native;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>Which of Iced's codes are x87 instructions.</summary>
public static class X87Families
{
    public static IEnumerable<Code> Codes()
    {
        foreach (Code code in Enum.GetValues<Code>())
        {
            if (Array.Exists(code.CpuidFeatures(), IsX87))
            {
                yield return code;
            }
        }
    }

    /// <summary>Codes that deliberately have no row, and why; null for the others.</summary>
    public static string? WhyNotOffered(Code code)
    {
        CpuidFeature[] features = code.CpuidFeatures();
        if (Array.Exists(features, f => f is CpuidFeature.FPU287XL_ONLY or CpuidFeature.FPU387SL_ONLY))
        {
            return "existed on one coprocessor only";
        }

        return code switch
        {
            Code.Fstcw_m2byte or Code.Fstsw_m2byte or Code.Fstsw_AX or Code.Fclex or Code.Finit or Code.Feni or Code.Fdisi or Code.Fsetpm
                or Code.Fstenv_m14byte or Code.Fstenv_m28byte or Code.Fsave_m94byte or Code.Fsave_m108byte => "an assembler's name for WAIT and the FN form; decoding gives the two",
            Code.Fstdw_AX or Code.Fstsg_AX => "existed on one coprocessor only",
            Code.Frstpm => "undefined on the 387 and later",
            _ => null,
        };
    }

    /// <summary>FCMOV, FCOMI and FISTTP came with processors that every x86-64 host includes.</summary>
    public static bool HostHas(Code code) => HostFeatures.Has(CpuidFeature.FPU);

    private static bool IsX87(CpuidFeature feature) =>
        feature is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FPU287XL_ONLY or CpuidFeature.FPU387SL_ONLY;
}
