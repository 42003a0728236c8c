namespace Akvam.Devices;

/// <summary>Offsets of the local APIC's registers in its page; the x2APIC MSR is 0x800 + offset / 16 [SDM3 Table 10-1, Table 10-6].</summary>
public static class LapicRegister
{
    public const int Id = 0x020;
    public const int Version = 0x030;
    public const int Tpr = 0x080;
    public const int Apr = 0x090;
    public const int Ppr = 0x0A0;
    public const int Eoi = 0x0B0;
    public const int Rrd = 0x0C0;
    public const int Ldr = 0x0D0;
    public const int Dfr = 0x0E0;
    public const int Svr = 0x0F0;

    /// <summary>First of eight.</summary>
    public const int Isr = 0x100;

    /// <summary>First of eight.</summary>
    public const int Tmr = 0x180;

    /// <summary>First of eight.</summary>
    public const int Irr = 0x200;

    public const int Esr = 0x280;
    public const int LvtCmci = 0x2F0;
    public const int IcrLow = 0x300;
    public const int IcrHigh = 0x310;
    public const int LvtTimer = 0x320;
    public const int LvtThermal = 0x330;
    public const int LvtPmc = 0x340;
    public const int LvtLint0 = 0x350;
    public const int LvtLint1 = 0x360;
    public const int LvtError = 0x370;
    public const int InitialCount = 0x380;
    public const int CurrentCount = 0x390;
    public const int DivideConfiguration = 0x3E0;

    /// <summary>x2APIC only.</summary>
    public const int SelfIpi = 0x3F0;
}
