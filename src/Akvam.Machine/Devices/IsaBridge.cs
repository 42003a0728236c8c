namespace Akvam.Machine.Devices;

/// <summary>The PIIX3 ISA bridge, 00:01.0: interrupt routing registers as storage, all lines disconnected at reset.</summary>
public sealed class IsaBridge : PciFunction
{
    public IsaBridge()
        : base(0x8086, 0x7000, 0x060100, 0x00, multifunction: true)
    {
        for (int i = 0x60; i < 0x64; i++)
        {
            this[i] = 0x80;                     // PIRQRC: not routed
        }

        AllowWrites(0x4C, 0xFF);
        AllowWrites(0x4E, 0xFF, 0xFF);
        AllowWrites(0x60, 0x8F, 0x8F, 0x8F, 0x8F);
    }
}
