using System.Runtime.InteropServices;

namespace Akvam.Cpu.Memory;

/// <summary>
/// For each page of host memory behind the guest a version number: 0 while no code was ever decoded from it, odd and raised by each write afterwards.
/// Keyed by host address, so that a page that appears in two address spaces (SMRAM aliases) has one version.
/// </summary>
/// <remarks>Valid because leaves are allocated once and freed with the virtual machine only.</remarks>
public sealed unsafe class CodeMap : IDisposable
{
    private const int Bits = 12;
    /// <summary>The version of a page when its first code is decoded.</summary>
    public const uint First = 1;
    private readonly nint[] _root = new nint[1 << Bits];
    private readonly Lock _gate = new();

    /// <summary>The version word of the page at <paramref name="host"/>.</summary>
    public uint* VersionOf(byte* host)
    {
        ulong page = (ulong)host >> 12;
        nint* middle = (nint*)Volatile.Read(ref _root[(page >> (2 * Bits)) & ((1 << Bits) - 1)]);
        if (middle != null)
        {
            uint* leaf = (uint*)Volatile.Read(ref middle[(page >> Bits) & ((1 << Bits) - 1)]);
            if (leaf != null)
            {
                return leaf + (page & ((1 << Bits) - 1));
            }
        }

        return Allocate(page);
    }

    /// <summary>A page that holds code was written. By twos, so that a page written 2^32 times does not look like one without code.</summary>
    public static void Raise(uint* version) => Interlocked.Add(ref *version, 2);

    private uint* Allocate(ulong page)
    {
        lock (_gate)
        {
            ref nint middle = ref _root[(page >> (2 * Bits)) & ((1 << Bits) - 1)];
            if (middle == 0)
            {
                Volatile.Write(ref middle, (nint)NativeMemory.AllocZeroed(1 << Bits, (nuint)sizeof(nint)));
            }

            ref nint leaf = ref ((nint*)middle)[(page >> Bits) & ((1 << Bits) - 1)];
            if (leaf == 0)
            {
                Volatile.Write(ref leaf, (nint)NativeMemory.AllocZeroed(1 << Bits, sizeof(uint)));
            }

            return (uint*)leaf + (page & ((1 << Bits) - 1));
        }
    }

    public void Dispose()
    {
        for (int i = 0; i < _root.Length; i++)
        {
            nint* middle = (nint*)_root[i];
            for (int j = 0; middle != null && j < 1 << Bits; j++)
            {
                NativeMemory.Free((void*)middle[j]);
            }

            NativeMemory.Free(middle);
            _root[i] = 0;
        }
    }
}
