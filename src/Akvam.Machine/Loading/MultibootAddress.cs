using System.Buffers.Binary;

namespace Akvam.Machine.Loading;

/// <summary>The address fields of a multiboot header, for images that are not ELF [Multiboot 0.6.96, 3.1.3].</summary>
/// <param name="Header">Where the header itself belongs in memory.</param>
/// <param name="Load">Where the load starts.</param>
/// <param name="LoadEnd">Where the data ends; 0 means the end of the file.</param>
/// <param name="BssEnd">Where the zeroed rest ends; 0 means none.</param>
/// <param name="Entry">The entry point.</param>
public readonly record struct MultibootAddress(uint Header, uint Load, uint LoadEnd, uint BssEnd, uint Entry)
{
    internal static MultibootAddress Read(ReadOnlySpan<byte> fields) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(fields),
        BinaryPrimitives.ReadUInt32LittleEndian(fields[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(fields[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(fields[12..]),
        BinaryPrimitives.ReadUInt32LittleEndian(fields[16..]));
}
