using Akvam.Machine;

namespace Akvam.Tests.Machine;

/// <summary>Guest memory in an array, for tests of loaders and tables.</summary>
internal sealed class ArrayMemory(int mebibytes) : IGuestMemory
{
    private readonly byte[] _bytes = new byte[mebibytes << 20];

    public GuestLayout Layout => new((ulong)mebibytes << 20);

    public Span<byte> Slice(ulong address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(address, (ulong)_bytes.Length);
        return _bytes.AsSpan((int)address, length);
    }

    public uint U32(ulong address) => BitConverter.ToUInt32(Slice(address, 4));

    public ulong U64(ulong address) => BitConverter.ToUInt64(Slice(address, 8));

    public string Text(ulong address)
    {
        Span<byte> rest = Slice(address, (int)Math.Min(4096, (ulong)_bytes.Length - address));
        return System.Text.Encoding.UTF8.GetString(rest[..rest.IndexOf((byte)0)]);
    }
}
