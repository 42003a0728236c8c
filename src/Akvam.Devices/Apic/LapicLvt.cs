namespace Akvam.Devices;

/// <summary>The local vector table's entries; the value is the register offset.</summary>
public enum LapicLvt
{
    Cmci = LapicRegister.LvtCmci,
    Timer = LapicRegister.LvtTimer,
    Thermal = LapicRegister.LvtThermal,
    Pmc = LapicRegister.LvtPmc,
    Lint0 = LapicRegister.LvtLint0,
    Lint1 = LapicRegister.LvtLint1,
    Error = LapicRegister.LvtError,
}
