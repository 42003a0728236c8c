namespace Akvam.Cpu.Memory;

/// <summary>
/// The slots of an address space, sorted by guest address. It never changes: a change makes another, which shares all with it but one piece, as clients may have 32,764 slots
/// and make them one by one.
/// </summary>
public sealed class SlotTable
{
    /// <summary>A piece that gets longer than this is divided.</summary>
    private const int PieceLength = 256;

    /// <summary>None is empty, but the only one may be.</summary>
    private readonly MemorySlot[][] _pieces;

    private SlotTable(MemorySlot[][] pieces) => _pieces = pieces;

    public static SlotTable Empty { get; } = new([[]]);

    /// <summary>The slot that holds <paramref name="gpa"/>, or null.</summary>
    public MemorySlot? Find(ulong gpa)
    {
        MemorySlot[] piece = _pieces[_pieces.Length == 1 ? 0 : PieceOf(gpa)];
        int low = 0, high = piece.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            MemorySlot slot = piece[middle];
            if (slot.Contains(gpa))
            {
                return slot;
            }

            if (gpa < slot.Gpa)
            {
                high = middle - 1;
            }
            else
            {
                low = middle + 1;
            }
        }

        return null;
    }

    /// <summary>A slot that has a part of a range, or null. The slot with the number <paramref name="but"/> is not looked at.</summary>
    public MemorySlot? FindIn(ulong gpa, ulong size, int but)
    {
        for (int i = PieceOf(gpa); i < _pieces.Length; i++)
        {
            MemorySlot[] piece = _pieces[i];
            for (int j = Math.Max(Below(piece, gpa) - 1, 0); j < piece.Length; j++)
            {
                MemorySlot slot = piece[j];
                if (slot.Gpa >= gpa + size)
                {
                    return null;
                }

                if (slot.Gpa + slot.Size > gpa && slot.Id != but)
                {
                    return slot;
                }
            }
        }

        return null;
    }

    /// <summary>With a slot more, which is in nobody's way.</summary>
    public SlotTable With(MemorySlot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        int i = PieceOf(slot.Gpa);
        MemorySlot[] piece = _pieces[i];
        int at = Below(piece, slot.Gpa);
        MemorySlot[] longer = [.. piece.AsSpan(0, at), slot, .. piece.AsSpan(at)];
        return longer.Length <= PieceLength
            ? Replace(i, longer)
            : Replace(i, longer[..(PieceLength / 2)], longer[(PieceLength / 2)..]);
    }

    /// <summary>Without a slot that is in it.</summary>
    public SlotTable Without(MemorySlot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        int i = PieceOf(slot.Gpa);
        MemorySlot[] shorter = Array.FindAll(_pieces[i], s => s != slot);
        return shorter.Length == 0 && _pieces.Length > 1 ? Replace(i) : Replace(i, shorter);
    }

    /// <summary>How many slots of a piece begin below an address.</summary>
    private static int Below(MemorySlot[] piece, ulong gpa)
    {
        int low = 0, high = piece.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            (low, high) = piece[middle].Gpa < gpa ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The last piece that begins at or below an address, or the first.</summary>
    private int PieceOf(ulong gpa)
    {
        int low = 0, high = _pieces.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >>> 1;
            (low, high) = _pieces[middle][0].Gpa <= gpa ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private SlotTable Replace(int piece, params ReadOnlySpan<MemorySlot[]> by) => new([.. _pieces.AsSpan(0, piece), .. by, .. _pieces.AsSpan(piece + 1)]);
}
