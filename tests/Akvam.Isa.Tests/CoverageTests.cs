using System.Text;
using Iced.Intel;
using IsaTable = Akvam.Cpu.Semantics.Isa;

namespace Akvam.Isa.Tests;

/// <summary>Walks every encoding that Iced knows: it has a row, or a reason why it raises #UD.</summary>
public sealed class CoverageTests
{
    /// <summary>Features that this processor does not have, and why.</summary>
    private static readonly Dictionary<string, string> s_absentFeatures = new()
    {
        ["AVX512"] = "no AVX-512: the model is an EPYC of the generation before it",
        ["KNC"] = "Knights Corner only",
        ["MIC"] = "Knights Corner only",
        ["VMX"] = "Intel virtualization: a later issue",
        ["SMX"] = "GETSEC: not on AMD",
        ["SGX"] = "not on AMD",
        ["TDX"] = "not on AMD",
        ["SEAM"] = "not on AMD",
        ["PCOMMIT"] = "withdrawn by Intel",
        ["ENCLV"] = "not on AMD",
        ["AMX"] = "no tiles",
        ["MPX"] = "withdrawn; decodes as NOP where it did",
        ["XOP"] = "AMD families 15h only",
        ["FMA4"] = "AMD families 15h only",
        ["TBM"] = "AMD families 15h only",
        ["LWP"] = "AMD families 15h only",
        ["D3NOW"] = "3DNow!: gone since family 14h",
        ["PADLOCK"] = "VIA",
        ["CENTAUR"] = "VIA",
        ["CYRIX"] = "Cyrix",
        ["GEODE"] = "Geode",
        ["UINTR"] = "user interrupts: Intel only",
        ["KL"] = "Key Locker: Intel only",
        ["AESKLE"] = "Key Locker: Intel only",
        ["WIDE_KL"] = "Key Locker: Intel only",
        ["HRESET"] = "Intel only",
        ["ENQCMD"] = "Intel only",
        ["MOVDIR64B"] = "not offered",
        ["MOVDIRI"] = "not offered",
        ["WAITPKG"] = "Intel only",
        ["TSXLDTRK"] = "no transactional memory",
        ["RTM"] = "no transactional memory",
        ["SERIALIZE"] = "Intel only",
        ["PTWRITE"] = "no processor trace",
        ["PCONFIG"] = "not on AMD",
        ["CET"] = "shadow stacks are not offered",
        ["CLDEMOTE"] = "a hint; NOP on processors without it",
        ["INVLPGB"] = "not offered",
        ["TLBSYNC"] = "not offered",
        ["MCOMMIT"] = "not offered",
        ["SNP"] = "no encrypted guests",
        ["SEV"] = "no encrypted guests",
        ["RDPRU"] = "not offered",
        ["MONITORX"] = "not offered",
        ["CLZERO"] = "not offered",
        ["AVX_"] = "VEX forms of AVX-512 features, AVX-IFMA and the like",
        ["CMPCCXADD"] = "Intel only",
        ["RAO"] = "Intel only",
        ["MSRLIST"] = "Intel only",
        ["WRMSRNS"] = "Intel only",
        ["FRED"] = "not offered",
        ["LKGS"] = "not offered",
        ["SM3"] = "not offered",
        ["SM4"] = "not offered",
        ["SHA512"] = "not offered",
        ["TSE"] = "total storage encryption: Intel only",
        ["HLE_or_RTM"] = "no transactional memory",
        ["GMI"] = "VIA",
        ["XSTORE"] = "VIA",
        ["PREFETCHITI"] = "a hint; NOP on processors without it",
        ["RMPQUERY"] = "no encrypted guests",
        ["UDBG"] = "undocumented",
        ["CL1INVMB"] = "Intel SCC only",
        ["INTEL386_A0_ONLY"] = "80386 step A only",
        ["INTEL386_ONLY"] = "80386 only",
        ["INTEL386_486_ONLY"] = "80386 and 80486 only",
        ["INTEL486_A_ONLY"] = "80486 step A only",
        ["INTEL286_ONLY"] = "80286 only",
        ["INTEL8086_ONLY"] = "8086 only",
        ["FPU287XL_ONLY"] = "80287XL only",
        ["FPU387SL_ONLY"] = "80387SL only",
        ["FPU287_ONLY"] = "80287 only",
        ["IA64"] = "IA-64",
        ["ALTINST"] = "VIA",
        ["OSS"] = "AMD undocumented",
        ["UMOV"] = "80386 and 80486 only",
        ["MOV_TR"] = "80386 and 80486 test registers",
        ["ZALLOC"] = "not offered",
        ["NPU"] = "undocumented",
        ["CLOADALL"] = "80286/80386 only",
    };

    [Fact]
    public void Every_encoding_has_a_row_or_a_reason()
    {
        var missing = new StringBuilder();
        int count = 0;
        foreach (Code code in Enum.GetValues<Code>())
        {
            if (IsaTable.Row(code).IsImplemented || Reason(code) != null)
            {
                continue;
            }

            count++;
            missing.Append(code).Append(" (").AppendJoin(' ', code.CpuidFeatures().Select(f => f.ToString())).AppendLine(")");
        }

        Assert.True(count == 0, $"{count} encodings have neither a row nor a reason:\n{missing}");
    }

    private static string? Reason(Code code)
    {
        if (code is Code.INVALID || code.ToOpCode().Encoding is EncodingKind.EVEX or EncodingKind.XOP or EncodingKind.MVEX or EncodingKind.D3NOW || code.ToString().StartsWith("Declare", StringComparison.Ordinal) || code == Code.Zero_bytes)
        {
            return "not an instruction of this processor";
        }

        if (code is Code.Fstenv_m14byte or Code.Fstenv_m28byte or Code.Fstcw_m2byte or Code.Feni or Code.Fdisi or Code.Fclex or Code.Finit or Code.Fsetpm or Code.Fsave_m94byte
            or Code.Fsave_m108byte or Code.Fstsw_m2byte or Code.Fstsw_AX)
        {
            return "FWAIT and its FN form: decoded as two instructions";
        }

        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            foreach ((string prefix, string reason) in s_absentFeatures)
            {
                if (feature.ToString().StartsWith(prefix, StringComparison.Ordinal))
                {
                    return reason;
                }
            }
        }

        return null;
    }
}
