using System.Buffers.Binary;
using System.Text;

namespace Akvam.Machine.Firmware;

/// <summary>Writes the ACPI tables of the board: RSDP, RSDT, XSDT, FADT, FACS, MADT and a DSDT [ACPI 5.2].</summary>
public static class AcpiTables
{
    /// <summary>Where the root pointer lies: in the area systems without EFI search [ACPI 5.2.5.1].</summary>
    public const ulong RootPointer = 0xF0000;

    /// <summary>The local APICs' address.</summary>
    public const uint LocalApic = 0xFEE0_0000;

    /// <summary>The I/O APIC's address.</summary>
    public const uint IoApic = 0xFEC0_0000;

    /// <summary>The system control interrupt.</summary>
    public const int SciInterrupt = 9;

    private const ulong TablesStart = 0xE0000, TablesEnd = 0xF0000;
    private const int HeaderBytes = 36;

    /// <summary>Writes all tables below 1 MiB.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="cpus">The number of processors; their APIC identities count from 0.</param>
    /// <param name="pmBase">The first port of the ACPI registers.</param>
    /// <returns>The address of the root pointer.</returns>
    public static ulong Write(IGuestMemory memory, int cpus, ushort pmBase)
    {
        var layout = new TableWriter(memory, TablesStart, TablesEnd);
        ulong facs = layout.Place(Facs(), 64);
        ulong dsdt = layout.Place(Table("DSDT", 2, Dsdt(memory.Layout)));
        ulong fadt = layout.Place(Table("FACP", 3, Fadt((uint)facs, (uint)dsdt, pmBase)));
        ulong madt = layout.Place(Table("APIC", 1, Madt(cpus)));
        ulong rsdt = layout.Place(Table("RSDT", 1, [.. Le32((uint)fadt), .. Le32((uint)madt)]));
        ulong xsdt = layout.Place(Table("XSDT", 1, [.. Le64(fadt), .. Le64(madt)]));
        memory.Write(RootPointer, Rsdp((uint)rsdt, xsdt));
        return RootPointer;
    }

    /// <summary>A table with its standard header and checksum.</summary>
    internal static byte[] Table(string signature, byte revision, ReadOnlySpan<byte> body)
    {
        byte[] table = new byte[HeaderBytes + body.Length];
        Encoding.ASCII.GetBytes(signature, table);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(4), (uint)table.Length);
        table[8] = revision;
        "AKVAM "u8.CopyTo(table.AsSpan(10));
        "AKVAMPC "u8.CopyTo(table.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(24), 1);
        "AKVM"u8.CopyTo(table.AsSpan(28));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(32), 1);
        body.CopyTo(table.AsSpan(HeaderBytes));
        table[9] = Checksum(table);
        return table;
    }

    /// <summary>The byte that makes the sum of all bytes zero.</summary>
    internal static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
        {
            sum += b;
        }

        return (byte)-sum;
    }

    private static byte[] Rsdp(uint rsdt, ulong xsdt)
    {
        byte[] rsdp = new byte[36];
        "RSD PTR "u8.CopyTo(rsdp);
        "AKVAM "u8.CopyTo(rsdp.AsSpan(9));
        rsdp[15] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(rsdp.AsSpan(16), rsdt);
        BinaryPrimitives.WriteUInt32LittleEndian(rsdp.AsSpan(20), 36);
        BinaryPrimitives.WriteUInt64LittleEndian(rsdp.AsSpan(24), xsdt);
        rsdp[8] = Checksum(rsdp.AsSpan(0, 20));         // the ACPI 1.0 part has its own checksum
        rsdp[32] = Checksum(rsdp);
        return rsdp;
    }

    private static byte[] Facs()
    {
        byte[] facs = new byte[64];
        "FACS"u8.CopyTo(facs);
        facs[4] = 64;
        facs[32] = 1;
        return facs;
    }

    /// <summary>The fixed description, revision 3, offsets counted from the end of the header [ACPI 5.2.9].</summary>
    private static byte[] Fadt(uint facs, uint dsdt, ushort pmBase)
    {
        byte[] fadt = new byte[244 - HeaderBytes];
        Put32(36, facs);
        Put32(40, dsdt);
        Put16(46, SciInterrupt);
        // SMI_CMD stays 0: there is no legacy mode to leave [ACPI 5.2.9, SMI_CMD].
        Put32(56, pmBase);                              // PM1a_EVT_BLK
        Put32(64, pmBase + 4u);                         // PM1a_CNT_BLK
        Put32(76, pmBase + 8u);                         // PM_TMR_BLK
        fadt[88 - HeaderBytes] = 4;
        fadt[89 - HeaderBytes] = 2;
        fadt[91 - HeaderBytes] = 4;
        Put16(96, 0xFFF);                               // no C2
        Put16(98, 0xFFF);                               // no C3
        fadt[108 - HeaderBytes] = 0x32;                 // the century is in CMOS 32h
        Put16(109, 0x0003);                             // IAPC_BOOT_ARCH: legacy devices, 8042
        // WBINVD, C1 on all processors, no buttons in fixed hardware, RESET_REG valid.
        Put32(112, 0x0000_0001 | 0x0000_0004 | 0x0000_0010 | 0x0000_0020 | 0x0000_0400);
        PutRegister(116, 8, 0xCF9);
        fadt[128 - HeaderBytes] = 0x06;                 // RESET_VALUE
        Put64(132, facs);
        Put64(140, dsdt);
        PutRegister(148, 32, pmBase);
        PutRegister(172, 16, pmBase + 4u);
        PutRegister(208, 32, pmBase + 8u);
        return fadt;

        void Put16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(fadt.AsSpan(offset - HeaderBytes), value);
        void Put32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(fadt.AsSpan(offset - HeaderBytes), value);
        void Put64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(fadt.AsSpan(offset - HeaderBytes), value);

        // A generic address in I/O space [ACPI 5.2.3.2].
        void PutRegister(int offset, byte bits, uint port)
        {
            fadt[offset - HeaderBytes] = 1;
            fadt[offset + 1 - HeaderBytes] = bits;
            Put64(offset + 4, port);
        }
    }

    /// <summary>Local APICs, the I/O APIC, the level-triggered SCI and NMI on LINT1 [ACPI 5.2.12].</summary>
    /// <remarks>ISA interrupts keep their numbers, the timer too: the in-kernel PIT drives global interrupt 0.</remarks>
    private static byte[] Madt(int cpus)
    {
        var madt = new List<byte>();
        madt.AddRange(Le32(LocalApic));
        madt.AddRange(Le32(1));                         // PCAT_COMPAT: there are two 8259 as well
        for (int i = 0; i < cpus; i++)
        {
            if (i < 255)
            {
                madt.AddRange([0, 8, (byte)i, (byte)i, .. Le32(1)]);
            }
            else
            {
                madt.AddRange([9, 16, 0, 0, .. Le32((uint)i), .. Le32(1), .. Le32((uint)i)]);
            }
        }

        madt.AddRange([1, 12, 0, 0, .. Le32(IoApic), .. Le32(0)]);
        madt.AddRange([2, 10, 0, SciInterrupt, .. Le32(SciInterrupt), 0x0D, 0x00]);
        madt.AddRange([4, 6, 0xFF, 0x00, 0x00, 1]);
        return [.. madt];
    }

    private static byte[] Dsdt(GuestLayout layout)
    {
        uint hole = (uint)Math.Max(layout.LowBytes, 0x8000_0000);
        byte[] bridge = new ResourceTemplate()
            .Buses(0, 0xFF)
            .Ports(0xCF8, 8)
            .PortWindow(0x0000, 0x0CF7)
            .PortWindow(0x0D00, 0xFFFF)
            .MemoryWindow(0x000A_0000, 0x000B_FFFF)
            .MemoryWindow(hole, 0xFEBF_FFFF)
            .ToArray();
        return new AmlWriter()
            .NamePackage(@"\_S5", Devices.AcpiPm.SoftOffType, Devices.AcpiPm.SoftOffType, 0, 0)
            .Scope(@"\_SB", sb => sb
                .Device("PCI0", pci => pci
                    .NameEisaId("_HID", "PNP0A03")
                    .Name("_ADR", 0)
                    .Name("_UID", 0)
                    .NameBuffer("_CRS", bridge)
                    .Device("ISA", isa => isa
                        .Name("_ADR", 0x0001_0000)
                        .Device("RTC", rtc => rtc
                            .NameEisaId("_HID", "PNP0B00")
                            .NameBuffer("_CRS", new ResourceTemplate().Ports(0x70, 2).Irq(8).ToArray()))
                        .Device("KBD", keyboard => keyboard
                            .NameEisaId("_HID", "PNP0303")
                            .NameBuffer("_CRS", new ResourceTemplate().Ports(0x60, 1).Ports(0x64, 1).Irq(1).ToArray()))
                        .Device("COM1", serial => serial
                            .NameEisaId("_HID", "PNP0501")
                            .Name("_UID", 1)
                            .NameBuffer("_CRS", new ResourceTemplate().Ports(0x3F8, 8).Irq(4).ToArray())))))
            .ToArray();
    }

    private static byte[] Le32(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Le64(ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }
}
