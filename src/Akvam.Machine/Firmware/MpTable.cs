using System.Buffers.Binary;

namespace Akvam.Machine.Firmware;

/// <summary>Writes the MultiProcessor table for systems that do not use ACPI [MP 1.4, chapter 4].</summary>
public static class MpTable
{
    /// <summary>Where the floating pointer lies, in the BIOS area that is searched [MP 1.4, 4].</summary>
    public const ulong FloatingPointer = 0xF1000;

    /// <summary>Processor entries hold 8-bit identities, and FFh means all.</summary>
    public const int MaximumCpus = 254;

    private const ulong Table = 0xF1010;
    private const byte EntryProcessor = 0, EntryBus = 1, EntryIoApic = 2, EntryIoInterrupt = 3, EntryLocalInterrupt = 4;
    private const byte InterruptInt = 0, InterruptNmi = 1, InterruptExtInt = 3;
    private const byte IsaBus = 0;
    private const ushort LevelActiveHigh = 0x000D;

    /// <summary>Writes the pointer and the table.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="cpus">The number of processors; more than <see cref="MaximumCpus"/> are left out.</param>
    /// <param name="signature">The processors' CPUID signature (leaf 1, EAX).</param>
    /// <param name="features">Their feature flags (leaf 1, EDX).</param>
    public static void Write(IGuestMemory memory, int cpus, uint signature, uint features)
    {
        cpus = Math.Min(cpus, MaximumCpus);
        byte ioApicId = (byte)cpus;
        var entries = new List<byte>();
        int count = 0;
        for (int i = 0; i < cpus; i++)
        {
            byte flags = (byte)(i == 0 ? 0x03 : 0x01);          // enabled, bootstrap processor
            Add([EntryProcessor, (byte)i, 0x14, flags, .. Le(signature), .. Le(features), 0, 0, 0, 0, 0, 0, 0, 0]);
        }

        Add([EntryBus, IsaBus, .. "ISA   "u8]);
        Add([EntryIoApic, ioApicId, 0x11, 0x01, .. Le(AcpiTables.IoApic)]);
        for (byte irq = 0; irq < 16; irq++)
        {
            if (irq == 2)
            {
                continue;                                       // the 8259 cascade has no source
            }

            ushort mode = irq == AcpiTables.SciInterrupt ? LevelActiveHigh : (ushort)0;
            Add([EntryIoInterrupt, InterruptInt, (byte)mode, (byte)(mode >> 8), IsaBus, irq, ioApicId, irq]);
        }

        Add([EntryLocalInterrupt, InterruptExtInt, 0, 0, IsaBus, 0, 0, 0]);
        Add([EntryLocalInterrupt, InterruptNmi, 0, 0, IsaBus, 0, 0xFF, 1]);

        byte[] table = new byte[44 + entries.Count];
        "PCMP"u8.CopyTo(table);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(4), (ushort)table.Length);
        table[6] = 4;
        "AKVAM   "u8.CopyTo(table.AsSpan(8));
        "SMALL PC    "u8.CopyTo(table.AsSpan(16));
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(34), (ushort)count);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(36), AcpiTables.LocalApic);
        entries.CopyTo(table, 44);
        table[7] = AcpiTables.Checksum(table);
        memory.Write(Table, table);

        byte[] pointer = [.. "_MP_"u8, .. Le((uint)Table), 1, 4, 0, 0, 0, 0, 0, 0];
        pointer[10] = AcpiTables.Checksum(pointer);
        memory.Write(FloatingPointer, pointer);

        void Add(byte[] entry)
        {
            entries.AddRange(entry);
            count++;
        }
    }

    private static byte[] Le(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }
}
