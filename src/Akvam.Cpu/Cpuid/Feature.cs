namespace Akvam.Cpu.Cpuid;

/// <summary>CPUID feature bits, numbered word * 32 + bit; the words are those of <see cref="FeatureWord"/>. [APM3 E.3] [SDM2 CPUID]</summary>
public enum Feature
{
    Fpu = 0, Vme = 1, De = 2, Pse = 3, Tsc = 4, Msr = 5, Pae = 6, Mce = 7, Cx8 = 8, Apic = 9, Sep = 11, Mtrr = 12, Pge = 13, Mca = 14, Cmov = 15, Pat = 16, Pse36 = 17,
    ClFlush = 19, Mmx = 23, Fxsr = 24, Sse = 25, Sse2 = 26, Htt = 28,

    Sse3 = 32 + 0, Pclmulqdq = 32 + 1, Monitor = 32 + 3, Ssse3 = 32 + 9, Fma = 32 + 12, Cx16 = 32 + 13, Pcid = 32 + 17, Sse41 = 32 + 19, Sse42 = 32 + 20, X2apic = 32 + 21,
    Movbe = 32 + 22, Popcnt = 32 + 23, TscDeadline = 32 + 24, Aes = 32 + 25, Xsave = 32 + 26, Osxsave = 32 + 27, Avx = 32 + 28, F16c = 32 + 29, Rdrand = 32 + 30,
    Hypervisor = 32 + 31,

    FsGsBase = 64 + 0, TscAdjust = 64 + 1, Bmi1 = 64 + 3, Avx2 = 64 + 5, Smep = 64 + 7, Bmi2 = 64 + 8, Erms = 64 + 9, Invpcid = 64 + 10, Rtm = 64 + 11, Rdseed = 64 + 18, Adx = 64 + 19,
    Smap = 64 + 20, ClFlushOpt = 64 + 23, Clwb = 64 + 24, Sha = 64 + 29,

    Umip = 96 + 2, Pku = 96 + 3, Ospke = 96 + 4, Gfni = 96 + 8, Vaes = 96 + 9, Vpclmulqdq = 96 + 10, La57 = 96 + 16, Rdpid = 96 + 22, BusLockDetect = 96 + 24,

    Fsrm = 128 + 4, SpecCtrl = 128 + 26, IntelStibp = 128 + 27, ArchCapabilities = 128 + 29, IntelSsbd = 128 + 31,

    XsaveOpt = 160 + 0, XsaveC = 160 + 1, Xgetbv1 = 160 + 2, XsaveS = 160 + 3,

    Syscall = 192 + 11, Nx = 192 + 20, MmxExt = 192 + 22, FxsrOpt = 192 + 25, Pdpe1Gb = 192 + 26, Rdtscp = 192 + 27, Lm = 192 + 29,

    LahfLm = 224 + 0, CmpLegacy = 224 + 1, Svm = 224 + 2, ExtApic = 224 + 3, Cr8Legacy = 224 + 4, Abm = 224 + 5, Sse4a = 224 + 6, Prefetchw = 224 + 8, TopologyExtensions = 224 + 22,

    ClZero = 256 + 0, Wbnoinvd = 256 + 9, Ibpb = 256 + 12, Ibrs = 256 + 14, Stibp = 256 + 15, Ssbd = 256 + 24, SsbNo = 256 + 26, BtcNo = 256 + 29,

    NoNestedDataBreakpoint = 288 + 0, LfenceSerializing = 288 + 2, AutoIbrs = 288 + 8, SrsoNo = 288 + 29,

    Arat = 320 + 2,

    NextRipSave = 352 + 3, VmcbClean = 352 + 5, FlushByAsid = 352 + 6, SvmeAddressCheck = 352 + 28,
}
