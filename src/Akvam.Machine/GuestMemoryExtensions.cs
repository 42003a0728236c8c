using System.Buffers.Binary;
using System.Text;

namespace Akvam.Machine;

/// <summary>Little-endian stores into guest memory.</summary>
public static class GuestMemoryExtensions
{
    public static void Write(this IGuestMemory memory, ulong address, ReadOnlySpan<byte> bytes) => bytes.CopyTo(memory.Slice(address, bytes.Length));

    public static void WriteUInt16(this IGuestMemory memory, ulong address, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(memory.Slice(address, 2), value);

    public static void WriteUInt32(this IGuestMemory memory, ulong address, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(memory.Slice(address, 4), value);

    public static void WriteUInt64(this IGuestMemory memory, ulong address, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(memory.Slice(address, 8), value);

    /// <summary>Writes a string with a terminating zero, one byte a character.</summary>
    /// <returns>The number of bytes written.</returns>
    public static int WriteString(this IGuestMemory memory, ulong address, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        memory.Write(address, bytes);
        memory.Slice(address + (ulong)bytes.Length, 1)[0] = 0;
        return bytes.Length + 1;
    }
}
