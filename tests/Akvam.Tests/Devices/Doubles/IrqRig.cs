using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The interrupt controllers of a PC with one or more processors.</summary>
internal sealed class IrqRig
{
    public IrqRig(uint[]? ids = null, byte ioapicVersion = Ioapic.Version82093AA, LapicOptions? options = null)
    {
        Apics = new ApicRig(ids, options);
        Chip = new Irqchip(Apics.Bus, new IrqchipOptions { IoapicVersion = ioapicVersion });
    }

    public ApicRig Apics { get; }

    public Irqchip Chip { get; }

    public Lapic Lapic => Apics.Lapic;

    public Ioapic Ioapic => Chip.Ioapic;

    public Pic Pic => Chip.Pic;

    /// <summary>Writes one IOAPIC register through the window.</summary>
    public void WriteIoapic(uint index, uint value)
    {
        Ioapic.WriteRegister(0x00, index);
        Ioapic.WriteRegister(0x10, value);
    }

    public uint ReadIoapic(uint index)
    {
        Ioapic.WriteRegister(0x00, index);
        return Ioapic.ReadRegister(0x10);
    }

    /// <summary>Programs a redirection entry, upper half first.</summary>
    public void Redirect(int pin, ulong entry)
    {
        WriteIoapic((uint)(0x11 + (2 * pin)), (uint)(entry >> 32));
        WriteIoapic((uint)(0x10 + (2 * pin)), (uint)entry);
    }

    public ulong Entry(int pin) => ReadIoapic((uint)(0x10 + (2 * pin))) | ((ulong)ReadIoapic((uint)(0x11 + (2 * pin))) << 32);

    /// <summary>Initializes the 8259 pair as a PC's firmware does: vectors 0x20 and 0x28, nothing masked.</summary>
    public void InitPic(byte icw4 = 0x01)
    {
        foreach ((ushort port, byte value) in new (ushort, byte)[]
        {
            (0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, icw4),
            (0xA0, 0x11), (0xA1, 0x28), (0xA1, 0x02), (0xA1, icw4),
        })
        {
            Pic.WritePort(port, value);
        }
    }

    /// <summary>Takes one interrupt from the local APIC and ends it.</summary>
    public int Service()
    {
        int vector = Lapic.AcknowledgeInterrupt();
        if (vector >= 0)
        {
            Lapic.WriteXApic(LapicRegister.Eoi, 0);
        }

        return vector;
    }
}
