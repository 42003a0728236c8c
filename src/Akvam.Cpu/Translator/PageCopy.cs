using System.Numerics;

namespace Akvam.Cpu.Translator;

/// <summary>
/// What the 64-byte granules of a page held that host code was made from, so that the whole page is compared with memory at once: its blocks lie far apart, and each
/// of them costs more than ten times as much to look at as the bytes it has here.
/// </summary>
/// <remarks>Valid while <see cref="Bytes"/> is, which belongs to the <see cref="CodePagePool"/>.</remarks>
public unsafe struct PageCopy
{
    public const int Size = 4096;

    private const int GranuleShift = 6;

    /// <summary>The copy, of which only what <see cref="Granules"/> says is valid; null: there is none.</summary>
    public byte* Bytes;

    /// <summary>A bit for each 64 bytes. None: nothing is known.</summary>
    public ulong Granules;

    /// <summary>The page holds what it held.</summary>
    public readonly bool Matches(byte* page)
    {
        ulong left = Granules;
        while (left != 0)
        {
            int from = NextRun(ref left, out int size);
            if (!new ReadOnlySpan<byte>(page + from, size).SequenceEqual(new ReadOnlySpan<byte>(Bytes + from, size)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>More granules, as they are now.</summary>
    public void Take(byte* page, ulong granules)
    {
        ulong left = granules & ~Granules;
        while (left != 0)
        {
            int from = NextRun(ref left, out int size);
            new ReadOnlySpan<byte>(page + from, size).CopyTo(new Span<byte>(Bytes + from, size));
        }

        Granules |= granules;
    }

    /// <summary>The copy has these bytes at a place in the page.</summary>
    public readonly bool Has(int offset, byte* bytes, int size) => new ReadOnlySpan<byte>(Bytes + offset, size).SequenceEqual(new ReadOnlySpan<byte>(bytes, size));

    /// <summary>Takes the first run of granules that lie side by side out of <paramref name="granules"/>.</summary>
    private static int NextRun(ref ulong granules, out int size)
    {
        int first = BitOperations.TrailingZeroCount(granules), count = BitOperations.TrailingZeroCount(~(granules >> first));
        granules &= first + count == 64 ? 0 : ulong.MaxValue << (first + count);
        size = count << GranuleShift;
        return first << GranuleShift;
    }
}
