using System.Globalization;
using System.Runtime.InteropServices;

namespace Akvam.Debugger.Lockstep;

/// <summary>Compares the memory of two machines.</summary>
internal static class MemoryComparison
{
    private const int Piece = 1 << 20, PageSize = 4096;

    /// <summary>The first difference in all memory, or null.</summary>
    public static Difference? All(ICheckedMachine reference, ICheckedMachine subject)
    {
        for (int n = 0; n < reference.Memory.Count; n++)
        {
            ulong address = reference.Memory[n].Key;
            GuestMemory a = reference.Memory[n].Value, b = subject.Memory[n].Value;
            for (ulong at = 0; at < a.Size; at += Piece)
            {
                int length = (int)Math.Min(Piece, a.Size - at);
                if (Range(a.Span(at, length), b.Span(at, length), address + at) is { } difference)
                {
                    return difference;
                }
            }
        }

        return null;
    }

    /// <summary>The first difference in the page of an address, or null.</summary>
    public static Difference? Page(ICheckedMachine reference, ICheckedMachine subject, ulong gpa)
    {
        ulong page = gpa & ~(ulong)(PageSize - 1);
        for (int n = 0; n < reference.Memory.Count; n++)
        {
            ulong start = reference.Memory[n].Key;
            if (page >= start && page - start < reference.Memory[n].Value.Size)
            {
                return Range(reference.Memory[n].Value.Span(page - start, PageSize), subject.Memory[n].Value.Span(page - start, PageSize), page);
            }
        }

        return null;
    }

    private static Difference? Range(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ulong address)
    {
        if (a.SequenceEqual(b))
        {
            return null;
        }

        ReadOnlySpan<ulong> x = MemoryMarshal.Cast<byte, ulong>(a), y = MemoryMarshal.Cast<byte, ulong>(b);
        int n = x.CommonPrefixLength(y);
        ulong at = address + ((ulong)n * sizeof(ulong));
        return new Difference(string.Create(CultureInfo.InvariantCulture, $"memory {at:x}"), x[n].ToString("x16", CultureInfo.InvariantCulture), y[n].ToString("x16", CultureInfo.InvariantCulture), at);
    }
}
