namespace Akvam.Cpu.State;

/// <summary>Bits of CR0. [SDM3 2.5] [APM2 3.1.1]</summary>
public static class Cr0
{
    public const ulong PE = 1, MP = 1 << 1, EM = 1 << 2, TS = 1 << 3, ET = 1 << 4, NE = 1 << 5, WP = 1 << 16, AM = 1 << 18, NW = 1 << 29, CD = 1 << 30, PG = 1u << 31;
}

/// <summary>Bits of CR4.</summary>
public static class Cr4
{
    public const ulong VME = 1, PVI = 1 << 1, TSD = 1 << 2, DE = 1 << 3, PSE = 1 << 4, PAE = 1 << 5, MCE = 1 << 6, PGE = 1 << 7, PCE = 1 << 8, OSFXSR = 1 << 9, OSXMMEXCPT = 1 << 10,
        UMIP = 1 << 11, LA57 = 1 << 12, VMXE = 1 << 13, FSGSBASE = 1 << 16, PCIDE = 1 << 17, OSXSAVE = 1 << 18, SMEP = 1 << 20, SMAP = 1 << 21, PKE = 1 << 22;
}

/// <summary>Bits of EFER. [APM2 3.1.7]</summary>
public static class Efer
{
    public const ulong SCE = 1, LME = 1 << 8, LMA = 1 << 10, NXE = 1 << 11, SVME = 1 << 12, LMSLE = 1 << 13, FFXSR = 1 << 14, AIBRSE = 1 << 21;
}

/// <summary>Bits of RFLAGS.</summary>
public static class Rflags
{
    public const ulong CF = 1, Fixed = 1 << 1, PF = 1 << 2, AF = 1 << 4, ZF = 1 << 6, SF = 1 << 7, TF = 1 << 8, IF = 1 << 9, DF = 1 << 10, OF = 1 << 11, IOPL = 3 << 12, NT = 1 << 14,
        RF = 1 << 16, VM = 1 << 17, AC = 1 << 18, VIF = 1 << 19, VIP = 1 << 20, ID = 1 << 21;

    /// <summary>The flags kept lazily.</summary>
    public const ulong Lazy = CF | PF | AF | ZF | SF | OF;

    /// <summary>All flags that can be set.</summary>
    public const ulong Defined = Lazy | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

    public const int IoplShift = 12;
}
