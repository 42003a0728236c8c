namespace Akvam.Machine.Devices;

/// <summary>The PIIX4 power-management function, 00:01.3: where the ACPI registers lie, and whether APM writes raise SMIs.</summary>
public sealed class PowerFunction : PciFunction
{
    /// <summary>Where a machine without firmware finds the ACPI registers.</summary>
    public const ushort DefaultPmBase = 0x600;

    private const int BaseRegister = 0x40, MiscRegister = 0x80, DeviceActivityB = 0x58;
    private const int ApmcEnableByte = DeviceActivityB + 3;
    private const byte ApmcEnable = 0x02;       // DEVACTB bit 25 [PIIX4 datasheet, 7.1.15]

    /// <param name="configured">Whether the board starts as firmware leaves it, with the ACPI registers at <see cref="DefaultPmBase"/>.</param>
    public PowerFunction(bool configured)
        : base(0x8086, 0x7113, 0x068000, 0x03)
    {
        AllowWrites(BaseRegister, 0xC0, 0xFF);
        AllowWrites(DeviceActivityB, 0xFF, 0xFF, 0xFF, 0xFF);
        AllowWrites(MiscRegister, 0x01);
        this[BaseRegister] = 0x01;              // the base is an I/O address
        this[0x3D] = 0x01;                      // INTA#
        if (configured)
        {
            this[BaseRegister + 1] = DefaultPmBase >> 8;
            this[MiscRegister] = 0x01;
        }
    }

    /// <summary>Raised after a write moved, enabled or disabled the ACPI registers.</summary>
    public event Action? PmBaseChanged;

    /// <summary>The first port of the ACPI registers, or null while they are not decoded.</summary>
    public ushort? PmBase
    {
        get
        {
            ushort start = (ushort)((this[BaseRegister + 1] << 8) | (this[BaseRegister] & 0xC0));
            return (this[MiscRegister] & 1) != 0 && start != 0 ? start : null;
        }
    }

    /// <summary>Whether a write to the APM control port raises an SMI.</summary>
    public bool ApmRaisesSmi => (this[ApmcEnableByte] & ApmcEnable) != 0;

    protected override void OnWritten(int register, int size)
    {
        bool touchesBase = register < BaseRegister + 2 && register + size > BaseRegister;
        bool touchesMisc = register <= MiscRegister && register + size > MiscRegister;
        if (touchesBase || touchesMisc)
        {
            PmBaseChanged?.Invoke();
        }
    }
}
