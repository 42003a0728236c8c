namespace Akvam.Devices;

/// <summary>Turns the ticks of one frequency into those of another, as the TSC scaling of processors does: a product with 48 bits behind the point.</summary>
public readonly record struct TickRatio
{
    private const int FractionBits = 48;

    private readonly ulong _multiplier;

    /// <summary>Rounded up, so that what divides evenly comes out even.</summary>
    public TickRatio(uint fromKhz, uint toKhz) => _multiplier = (ulong)((((UInt128)toKhz << FractionBits) + fromKhz - 1) / fromKhz);

    public ulong Apply(ulong ticks)
    {
        ulong high = Math.BigMul(ticks, _multiplier, out ulong low);
        return (high << (64 - FractionBits)) | (low >> FractionBits);
    }
}
