using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>One loadable segment of an ELF file.</summary>
/// <param name="Offset">Where its bytes start in the file.</param>
/// <param name="FileSize">How many bytes the file has.</param>
/// <param name="MemorySize">How many it takes in memory; the rest is zero.</param>
/// <param name="PhysicalAddress">Where it goes.</param>
/// <param name="VirtualAddress">Where the program sees it once it has paging.</param>
public readonly record struct ElfSegment(ulong Offset, ulong FileSize, ulong MemorySize, ulong PhysicalAddress, ulong VirtualAddress)
{
    internal static ElfSegment Read64(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(header[32..]),
        BinaryPrimitives.ReadUInt64LittleEndian(header[40..]),
        BinaryPrimitives.ReadUInt64LittleEndian(header[24..]),
        BinaryPrimitives.ReadUInt64LittleEndian(header[16..]));

    internal static ElfSegment Read32(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(header[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(header[16..]),
        BinaryPrimitives.ReadUInt32LittleEndian(header[20..]),
        BinaryPrimitives.ReadUInt32LittleEndian(header[12..]),
        BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
}
