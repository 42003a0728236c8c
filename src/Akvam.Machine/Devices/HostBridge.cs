namespace Akvam.Machine.Devices;

/// <summary>The i440FX host bridge, 00:00.0: the PAM registers as storage, and the SMRAM control register.</summary>
/// <remarks>
/// SMRAM (72h) decides who sees the RAM behind A0000h-BFFFFh [440FX datasheet, 3.2.19]: nobody while G_SMRAME is clear, else processors
/// in SMM, and every processor while D_OPEN is set. D_CLS would send data accesses in SMM to the bus and leave fetches in
/// SMRAM; memory slots cannot tell the two apart, so D_CLS only keeps D_OPEN from opening the window. D_LCK closes D_OPEN and
/// freezes the register until a reset.
/// </remarks>
public sealed class HostBridge : PciFunction
{
    /// <summary>The offset of the SMRAM control register.</summary>
    public const int SmramRegister = 0x72;

    private const byte Open = 0x40, Closed = 0x20, Locked = 0x10, Enabled = 0x08;
    private const byte CompatibleSegment = 0x02;

    public HostBridge()
        : base(0x8086, 0x1237, 0x060000, 0x02)
    {
        this[SmramRegister] = CompatibleSegment;
        AllowWrites(0x50, 0xFF, 0xFF);
        AllowWrites(0x59, 0x30, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33);        // PAM0-PAM6
    }

    /// <summary>Raised when the window's visibility changed: first in SMM, then outside of it.</summary>
    public event Action<bool, bool>? SmramChanged;

    /// <summary>Whether a processor in SMM sees SMRAM.</summary>
    public bool VisibleInSmm => (this[SmramRegister] & Enabled) != 0;

    /// <summary>Whether a processor outside SMM sees SMRAM.</summary>
    public bool VisibleOutside => VisibleInSmm && (this[SmramRegister] & (Open | Closed)) == Open;

    protected override void WriteByte(int register, byte value)
    {
        if (register != SmramRegister)
        {
            base.WriteByte(register, value);
            return;
        }

        byte old = this[SmramRegister];
        if ((old & Locked) != 0)
        {
            // Only D_CLS stays writable once the register is locked.
            this[SmramRegister] = (byte)((old & ~Closed) | (value & Closed));
        }
        else
        {
            byte kept = (byte)(value & (Open | Closed | Locked | Enabled));
            this[SmramRegister] = (byte)(((kept & Locked) != 0 ? kept & ~Open : kept) | CompatibleSegment);
        }

        if (old != this[SmramRegister])
        {
            SmramChanged?.Invoke(VisibleInSmm, VisibleOutside);
        }
    }
}
