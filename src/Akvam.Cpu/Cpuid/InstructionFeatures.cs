using Iced.Intel;

namespace Akvam.Cpu.Cpuid;

/// <summary>From the feature that Iced gives for an instruction to the CPUID bit that announces it.</summary>
internal static class InstructionFeatures
{
    /// <summary>Indexed by <see cref="CpuidFeature"/>.</summary>
    public static bool[] Offers(GuestCpuid cpuid)
    {
        CpuidFeature[] all = Enum.GetValues<CpuidFeature>();
        bool[] offers = new bool[(int)all[^1] + 1];
        foreach (CpuidFeature f in all)
        {
            offers[(int)f] = Always(f) || (Bit(f) is { } bit && cpuid.Allows(bit));
        }

        return offers;
    }

    /// <summary>
    /// Part of every processor with long mode that this one can be, or without a bit of its own. MONITOR, MWAIT, VMCALL,
    /// VMMCALL (VMX and SVM for Iced) and RSM decide themselves, the other SVM instructions by EFER.SVME.
    /// </summary>
    private static bool Always(CpuidFeature f) => f is CpuidFeature.INTEL8086 or CpuidFeature.INTEL186 or CpuidFeature.INTEL286 or CpuidFeature.INTEL386 or CpuidFeature.INTEL486
        or CpuidFeature.X64 or CpuidFeature.CPUID or CpuidFeature.PAUSE or CpuidFeature.MULTIBYTENOP or CpuidFeature.MONITOR or CpuidFeature.RDPMC
        or CpuidFeature.SMM or CpuidFeature.VMX or CpuidFeature.SVM or CpuidFeature.SKINIT_or_SVM or CpuidFeature.MSR or CpuidFeature.TSC or CpuidFeature.CX8 or CpuidFeature.CMOV
        or CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387;

    private static Feature? Bit(CpuidFeature f) => f switch
    {
        CpuidFeature.ADX => Feature.Adx,
        CpuidFeature.AES => Feature.Aes,
        CpuidFeature.AVX => Feature.Avx,
        CpuidFeature.AVX2 => Feature.Avx2,
        CpuidFeature.BMI1 => Feature.Bmi1,
        CpuidFeature.BMI2 => Feature.Bmi2,
        CpuidFeature.CLFLUSHOPT => Feature.ClFlushOpt,
        CpuidFeature.CLFSH => Feature.ClFlush,
        CpuidFeature.CLWB => Feature.Clwb,
        CpuidFeature.CLZERO => Feature.ClZero,
        CpuidFeature.CMPXCHG16B => Feature.Cx16,
        CpuidFeature.F16C => Feature.F16c,
        CpuidFeature.FMA => Feature.Fma,
        CpuidFeature.FSGSBASE => Feature.FsGsBase,
        CpuidFeature.FXSR => Feature.Fxsr,
        CpuidFeature.GFNI => Feature.Gfni,
        CpuidFeature.INVPCID => Feature.Invpcid,
        CpuidFeature.LZCNT => Feature.Abm,
        CpuidFeature.MMX => Feature.Mmx,
        CpuidFeature.MOVBE => Feature.Movbe,
        CpuidFeature.PCLMULQDQ => Feature.Pclmulqdq,
        CpuidFeature.PKU => Feature.Pku,
        CpuidFeature.POPCNT => Feature.Popcnt,
        CpuidFeature.PREFETCHW => Feature.Prefetchw,
        CpuidFeature.RDPID => Feature.Rdpid,
        CpuidFeature.RDRAND => Feature.Rdrand,
        CpuidFeature.RDSEED => Feature.Rdseed,
        CpuidFeature.RDTSCP => Feature.Rdtscp,
        CpuidFeature.SEP => Feature.Sep,
        CpuidFeature.SHA => Feature.Sha,
        CpuidFeature.SMAP => Feature.Smap,
        CpuidFeature.SSE => Feature.Sse,
        CpuidFeature.SSE2 => Feature.Sse2,
        CpuidFeature.SSE3 => Feature.Sse3,
        CpuidFeature.SSE4_1 => Feature.Sse41,
        CpuidFeature.SSE4_2 => Feature.Sse42,
        CpuidFeature.SSE4A => Feature.Sse4a,
        CpuidFeature.SSSE3 => Feature.Ssse3,
        CpuidFeature.SYSCALL => Feature.Syscall,
        CpuidFeature.VAES => Feature.Vaes,
        CpuidFeature.VPCLMULQDQ => Feature.Vpclmulqdq,
        CpuidFeature.WBNOINVD => Feature.Wbnoinvd,
        CpuidFeature.XSAVE => Feature.Xsave,
        CpuidFeature.XSAVEC => Feature.XsaveC,
        CpuidFeature.XSAVEOPT => Feature.XsaveOpt,
        CpuidFeature.XSAVES => Feature.XsaveS,
        _ => null,
    };
}
