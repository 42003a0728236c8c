using System.Runtime.InteropServices;
using System.Text;
using Akvam.Abi;

namespace Akvam;

/// <summary>Counters that a client may read from a file at any time, because they are kept in it: header, name, descriptors, values. [KVM 4.133]</summary>
/// <remarks>
/// Each counter has one thread that changes it, or a lock. Valid because the values are in a pinned array, or in the client's mapping, which stays as long as the
/// VM or vCPU.
/// </remarks>
internal sealed unsafe class Statistics
{
    /// <summary>KVM_STATS_NAME_SIZE.</summary>
    private const int NameSize = 48;

    private readonly StatisticsKind[] _kinds;
    private readonly ulong[] _own;
    private readonly string _name;
    private ulong* _values;

    public Statistics(string name, StatisticsKind[] kinds)
    {
        _name = name;
        _kinds = kinds;
        _own = GC.AllocateArray<ulong>(kinds.Length, pinned: true);
        _values = (ulong*)Marshal.UnsafeAddrOfPinnedArrayElement(_own, 0);
    }

    /// <summary>Bytes of the file.</summary>
    public int Size => DataOffset + (_kinds.Length * sizeof(ulong));

    private int DescriptorsOffset => sizeof(kvm_stats_header) + NameSize;

    private int DataOffset => DescriptorsOffset + (_kinds.Length * (sizeof(kvm_stats_desc) + NameSize));

    public void Add(int counter, ulong more = 1) => _values[counter] += more;

    public void Set(int counter, ulong value) => Volatile.Write(ref _values[counter], value);

    public Statistic[] Read()
    {
        var result = new Statistic[_kinds.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = new Statistic(_kinds[i].Name, Volatile.Read(ref _values[i]));
        }

        return result;
    }

    /// <summary>From now on they are kept at <paramref name="mapping"/>, <see cref="Size"/> bytes. The caller keeps out those who count.</summary>
    public void MoveTo(nint mapping)
    {
        var file = new Span<byte>((void*)mapping, Size);
        var header = new kvm_stats_header
        {
            name_size = NameSize,
            num_desc = (uint)_kinds.Length,
            id_offset = (uint)sizeof(kvm_stats_header),
            desc_offset = (uint)DescriptorsOffset,
            data_offset = (uint)DataOffset,
        };
        MemoryMarshal.Write(file, in header);
        WriteName(file[sizeof(kvm_stats_header)..], _name);
        for (int i = 0; i < _kinds.Length; i++)
        {
            Span<byte> at = file[(DescriptorsOffset + (i * (sizeof(kvm_stats_desc) + NameSize)))..];
            var descriptor = new kvm_stats_desc { flags = _kinds[i].Flags, exponent = _kinds[i].Exponent, size = 1, offset = (uint)(i * sizeof(ulong)) };
            MemoryMarshal.Write(at, in descriptor);
            WriteName(at[sizeof(kvm_stats_desc)..], _kinds[i].Name);
        }

        var moved = (ulong*)(mapping + DataOffset);
        new ReadOnlySpan<ulong>(_values, _kinds.Length).CopyTo(new Span<ulong>(moved, _kinds.Length));
        _values = moved;
    }

    private static void WriteName(Span<byte> to, string name) => Encoding.ASCII.GetBytes(name, to[..(NameSize - 1)]);
}
