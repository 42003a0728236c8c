using System.Buffers.Binary;
using Akvam.Native;

namespace Akvam;

/// <summary>One KVM_IOEVENTFD: which write signals which eventfd.</summary>
/// <param name="Address">Guest-physical address or port.</param>
/// <param name="Length">1, 2, 4, 8 bytes, or 0 for any.</param>
/// <param name="DataMatch">The only value that counts; null: every value does.</param>
/// <param name="File">What is signalled.</param>
internal sealed record IoEvent(ulong Address, uint Length, ulong? DataMatch, EventFd File)
{
    public bool Takes(ulong address, ReadOnlySpan<byte> data)
    {
        if (address != Address || (Length != 0 && data.Length != (int)Length))
        {
            return false;
        }

        return DataMatch is not { } match || Value(data) == match;
    }

    /// <summary>A write that both would take.</summary>
    public bool CollidesWith(IoEvent other) =>
        Address == other.Address && (Length == 0 || other.Length == 0 || Length == other.Length)
            && (DataMatch is null || other.DataMatch is null || DataMatch == other.DataMatch);

    private static ulong Value(ReadOnlySpan<byte> data)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        data.CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}
