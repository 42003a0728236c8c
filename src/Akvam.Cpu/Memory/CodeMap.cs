using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Cpu.Memory;

/// <summary>
/// For each page of host memory behind the guest a version number: 0 while no code was decoded from it, odd and raised by each write to code afterwards; and which
/// parts of it code was decoded from. Keyed by host address, so that a page that appears in two address spaces (SMRAM aliases) has one version.
/// </summary>
/// <remarks>Valid because leaves are allocated once and freed with the virtual machine only.</remarks>
public sealed unsafe class CodeMap : IDisposable
{
    /// <summary>A version that no page has: whoever finds a page without code stores this, and will look again.</summary>
    public const uint Unknown = 2;

    private const int Bits = 12, GranuleShift = 6;
    private const uint First = 1;

    /// <summary>Writes to a page with code after which it is taken for data again, until code is executed in it the next time.</summary>
    private const uint MostWrites = 1024;

    private readonly nint[] _root = new nint[1 << Bits];
    private readonly Lock _gate = new();

    /// <summary>What is known of a page. Pointers to it are pointers to its first field.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Page
    {
        public uint Version;

        /// <summary>Writes since the page has a version; without one, the last version it had.</summary>
        public uint Writes;

        /// <summary>A bit for each 64 bytes: code was decoded from them.</summary>
        public ulong Granules;
    }

    /// <summary>The version word of the page at <paramref name="host"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint* VersionOf(byte* host)
    {
        ulong page = (ulong)host >> 12;
        nint* middle = (nint*)Volatile.Read(ref _root[(page >> (2 * Bits)) & ((1 << Bits) - 1)]);
        if (middle != null)
        {
            var leaf = (Page*)Volatile.Read(ref middle[(page >> Bits) & ((1 << Bits) - 1)]);
            if (leaf != null)
            {
                return &leaf[page & ((1 << Bits) - 1)].Version;
            }
        }

        return Allocate(page);
    }

    /// <summary>The version to remember beside what is read from the page afterwards.</summary>
    public static uint Current(uint* version) => Volatile.Read(ref *version) is var v and not 0 ? v : Unknown;

    /// <summary>The page gets a version: from now on writes have to be told. Only while no processor can write without telling.</summary>
    public static void Begin(uint* version)
    {
        var page = (Page*)version;
        uint last = page->Writes;
        page->Writes = 0;
        Volatile.Write(ref page->Version, last == 0 ? First : last + 2);
    }

    /// <summary>
    /// Code is about to be taken from the page: its bytes have to be read, or compared again, after this call. A write that does not see it was complete before.
    /// </summary>
    public static void NoteCode(uint* version, byte* host, int size) => NoteCode(version, Granules(host, size));

    /// <summary>As the other; a bit for each 64 bytes.</summary>
    public static void NoteCode(uint* version, ulong granules)
    {
        var page = (Page*)version;
        if ((Volatile.Read(ref page->Granules) & granules) != granules)
        {
            Interlocked.Or(ref page->Granules, granules);
        }
    }

    /// <summary>Bytes of a page with code were written. True: some of them may be code, and the version was raised.</summary>
    public static bool Written(uint* version, byte* host, int size)
    {
        var page = (Page*)version;
        Interlocked.MemoryBarrier();
        bool hit = (Volatile.Read(ref page->Granules) & Granules(host, size)) != 0;
        if (hit)
        {
            Raise(version);
        }

        if (++page->Writes == MostWrites)
        {
            End(page);
        }

        return hit;
    }

    /// <summary>By twos, so that a page written 2^32 times does not look like one without code.</summary>
    private static void Raise(uint* version)
    {
        uint old;
        do
        {
            old = Volatile.Read(ref *version);
        }
        while (old != 0 && Interlocked.CompareExchange(ref *version, old + 2, old) != old);
    }

    /// <summary>No version any more: who knows code of the page finds that it has to look, and <see cref="Begin"/> goes on from the old one.</summary>
    private static void End(Page* page)
    {
        uint old = Volatile.Read(ref page->Version);
        if (old != 0 && Interlocked.CompareExchange(ref page->Version, 0, old) == old)
        {
            page->Granules = 0;
            page->Writes = old;
        }
    }

    /// <summary>A bit for each 64 bytes of a page that some of its bytes are in.</summary>
    public static ulong Granules(byte* host, int size)
    {
        int first = (int)((ulong)host & 4095), last = (first + size - 1) >> GranuleShift;
        return (2ul << last) - (1ul << (first >> GranuleShift));
    }

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
                Volatile.Write(ref leaf, (nint)NativeMemory.AllocZeroed(1 << Bits, (nuint)sizeof(Page)));
            }

            return &((Page*)leaf)[page & ((1 << Bits) - 1)].Version;
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
