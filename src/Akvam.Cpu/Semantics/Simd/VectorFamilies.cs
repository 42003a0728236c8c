using Akvam.Cpu.Native;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Which of Iced's codes belong to the families that the host computes, and under which conditions they are legal.</summary>
public static class VectorFamilies
{
    /// <summary>Every legacy- or VEX-encoded code of the vector families, implemented or not.</summary>
    public static IEnumerable<Code> Codes()
    {
        foreach (Code code in Enum.GetValues<Code>())
        {
            if (code.Encoding() is EncodingKind.Legacy or EncodingKind.VEX && Array.Exists(code.CpuidFeatures(), IsVectorFamily))
            {
                yield return code;
            }
        }
    }

    /// <summary>Codes of these families that deliberately have no row, and why; null for the others.</summary>
    public static string? WhyNotOffered(Code code)
    {
        if (Array.Exists(code.CpuidFeatures(), f => !IsVectorFamily(f)))
        {
            return "needs a feature beyond these families";
        }

        OpCodeInfo info = code.ToOpCode();
        bool vector = false;
        for (int op = 0; op < info.OpCount; op++)
        {
            vector |= IsVectorOperand(info.GetOpKind(op));
        }

        return vector ? null : "has no vector operand: an integer, cache or system instruction with its row elsewhere";
    }

    public static bool HostHas(Code code) => Array.TrueForAll(code.CpuidFeatures(), HostFeatures.Has);

    /// <summary>The conditions of the manual's exception classes: MMX alone, legacy SSE, VEX. [SDM2 2.4] [SDM3 23.25.3]</summary>
    public static Legality LegalityOf(Code code)
    {
        if (code.Encoding() == EncodingKind.VEX)
        {
            return Legality.Avx;
        }

        OpCodeInfo info = code.ToOpCode();
        for (int op = 0; op < info.OpCount; op++)
        {
            if (info.GetOpKind(op) is OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_rm)
            {
                return Legality.Sse;
            }
        }

        return Legality.Mmx;
    }

    private static bool IsVectorFamily(CpuidFeature feature) => feature is CpuidFeature.MMX or CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSE3 or CpuidFeature.SSSE3
        or CpuidFeature.SSE4_1 or CpuidFeature.SSE4_2 or CpuidFeature.SSE4A or CpuidFeature.AVX or CpuidFeature.AVX2 or CpuidFeature.FMA or CpuidFeature.F16C
        or CpuidFeature.AES or CpuidFeature.PCLMULQDQ or CpuidFeature.SHA or CpuidFeature.GFNI or CpuidFeature.VAES or CpuidFeature.VPCLMULQDQ;

    private static bool IsVectorOperand(OpCodeOperandKind kind) =>
        kind.ToString() is var name && (name.StartsWith("xmm", StringComparison.Ordinal) || name.StartsWith("ymm", StringComparison.Ordinal) || name.StartsWith("mm_", StringComparison.Ordinal));
}
