namespace Akvam.Debugger.Smram;

/// <summary>How a format stores a segment's attributes. Outside of images they are always as in <see cref="Word"/>.</summary>
public enum RightsPacking
{
    /// <summary>16 bits: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15.</summary>
    Word,

    /// <summary>32 bits, a descriptor's upper dword without base and limit: a <see cref="Word"/> shifted left by 8.</summary>
    Descriptor,

    /// <summary>A <see cref="Word"/> in 32 bits.</summary>
    Dword,

    /// <summary>A <see cref="Word"/> with bit 8 set where the segment is usable.</summary>
    WordAndValid,
}
