namespace Akvam.Devices;

/// <summary>Fields of a local vector table entry [SDM3 10.5.1].</summary>
internal static class LvtBits
{
    public const uint Vector = 0xFF;
    public const uint Mode = 7 << 8;
    public const uint DeliveryStatus = 1 << 12;
    public const uint Polarity = 1 << 13;
    public const uint RemoteIrr = 1 << 14;
    public const uint Level = 1 << 15;
    public const uint Masked = 1 << 16;
    public const uint TimerMode = 3 << 17;
    public const uint TimerPeriodic = 1 << 17;
    public const uint TimerTscDeadline = 2 << 17;

    public static DeliveryMode ModeOf(uint lvt) => (DeliveryMode)((lvt >> 8) & 7);

    /// <summary>Bits software may change; everything else is reserved or read-only.</summary>
    public static uint Writable(int register) => register switch
    {
        LapicRegister.LvtTimer => Vector | Masked | TimerMode,
        LapicRegister.LvtLint0 or LapicRegister.LvtLint1 => Vector | Mode | Polarity | Level | Masked,
        LapicRegister.LvtError => Vector | Masked,
        _ => Vector | Mode | Masked,
    };

    /// <summary>Bits that read as state and may be written with anything.</summary>
    public static uint ReadOnly(int register) =>
        register is LapicRegister.LvtLint0 or LapicRegister.LvtLint1 ? DeliveryStatus | RemoteIrr : DeliveryStatus;
}
