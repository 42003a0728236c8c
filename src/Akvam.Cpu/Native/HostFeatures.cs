using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace Akvam.Cpu.Native;

/// <summary>
/// Which of the families that the host computes for us (x87, MMX, SSE, AVX…) this host has. CPUID offers a family when <see cref="Has"/> says so.
/// </summary>
public static class HostFeatures
{
    private static readonly uint s_present = Detect();

    /// <summary>True on a host whose instructions are the guest's; elsewhere no family here is offered and no stub is ever built.</summary>
    public static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>True when instructions of <paramref name="feature"/> are executed by the host; all other features are computed in C#.</summary>
    public static bool NeedsHost(CpuidFeature feature) => Where(feature) != Place.None;

    /// <summary>
    /// True when <paramref name="feature"/> is one of the families that need the host, and this host has it. False for every other feature,
    /// those that Akvam does not implement (AVX-512…) as those that need no host.
    /// </summary>
    public static bool Has(CpuidFeature feature) => (s_present >> (int)Where(feature) & 1) != 0;

    /// <summary>One bit a <see cref="Place"/>: asked once, because CPUID costs tens of microseconds in a virtual machine.</summary>
    private static uint Detect()
    {
        uint present = 0;
        for (Place place = Place.Fpu; IsX64 && place <= Place.Vpclmulqdq; place++)
        {
            (int leaf, int register, int bit, bool avx) = Bit(place);
            present |= HasBit(leaf, register, bit) && (!avx || Avx.IsSupported) ? 1u << (int)place : 0;
        }

        return present;
    }

    private static bool HasBit(int leaf, int register, int bit)
    {
        int family = leaf & unchecked((int)0x8000_0000);
        if ((uint)X86Base.CpuId(family, 0).Eax < (uint)leaf)
        {
            return false;
        }

        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId(leaf, 0);
        int value = register switch { 0 => eax, 1 => ebx, 2 => ecx, _ => edx };
        return (value & (1 << bit)) != 0;
    }

    private enum Place
    {
        None, Fpu, Mmx, Fxsr, Sse, Sse2, Sse3, Ssse3, Sse41, Sse42, Sse4a, Aes, Pclmulqdq, Avx, F16c, Fma, Avx2, Sha, Gfni, Vaes, Vpclmulqdq,
    }

    private static Place Where(CpuidFeature feature) => feature switch
    {
        CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 => Place.Fpu,
        CpuidFeature.MMX => Place.Mmx,
        CpuidFeature.FXSR => Place.Fxsr,
        CpuidFeature.SSE => Place.Sse,
        CpuidFeature.SSE2 => Place.Sse2,
        CpuidFeature.SSE3 => Place.Sse3,
        CpuidFeature.SSSE3 => Place.Ssse3,
        CpuidFeature.SSE4_1 => Place.Sse41,
        CpuidFeature.SSE4_2 => Place.Sse42,
        CpuidFeature.SSE4A => Place.Sse4a,
        CpuidFeature.AES => Place.Aes,
        CpuidFeature.PCLMULQDQ => Place.Pclmulqdq,
        CpuidFeature.AVX => Place.Avx,
        CpuidFeature.F16C => Place.F16c,
        CpuidFeature.FMA => Place.Fma,
        CpuidFeature.AVX2 => Place.Avx2,
        CpuidFeature.SHA => Place.Sha,
        CpuidFeature.GFNI => Place.Gfni,
        CpuidFeature.VAES => Place.Vaes,
        CpuidFeature.VPCLMULQDQ => Place.Vpclmulqdq,
        _ => Place.None,
    };

    /// <summary>CPUID leaf (subleaf 0), register (0 EAX … 3 EDX), bit, and whether the operating system must have enabled AVX state. [APM3 Appendix E]</summary>
    private static (int Leaf, int Register, int Bit, bool Avx) Bit(Place place) => place switch
    {
        Place.Fpu => (1, 3, 0, false),
        Place.Mmx => (1, 3, 23, false),
        Place.Fxsr => (1, 3, 24, false),
        Place.Sse => (1, 3, 25, false),
        Place.Sse2 => (1, 3, 26, false),
        Place.Sse3 => (1, 2, 0, false),
        Place.Pclmulqdq => (1, 2, 1, false),
        Place.Ssse3 => (1, 2, 9, false),
        Place.Fma => (1, 2, 12, true),
        Place.Sse41 => (1, 2, 19, false),
        Place.Sse42 => (1, 2, 20, false),
        Place.Aes => (1, 2, 25, false),
        Place.Avx => (1, 2, 28, true),
        Place.F16c => (1, 2, 29, true),
        Place.Sse4a => (unchecked((int)0x8000_0001), 2, 6, false),
        Place.Avx2 => (7, 1, 5, true),
        Place.Sha => (7, 1, 29, false),
        Place.Gfni => (7, 2, 8, false),
        Place.Vaes => (7, 2, 9, true),
        Place.Vpclmulqdq => (7, 2, 10, true),
        _ => default,
    };
}
