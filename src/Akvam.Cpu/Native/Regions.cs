namespace Akvam.Cpu.Native;

/// <summary>
/// The places in a piece of memory that is filled in regions of the same size, one after the other and then again from the first. Its owner empties a region before it is
/// filled again: so what was put there first goes first, and no more than a region at a time.
/// </summary>
internal sealed class Regions
{
    private const int Alignment = 16;

    private readonly int[] _filled;
    private int _current;

    public Regions(int bytes, int count)
    {
        Size = bytes / count & -Alignment;
        _filled = new int[count];
    }

    /// <summary>Bytes of one.</summary>
    public int Size { get; }

    /// <summary>Where the next piece goes.</summary>
    public int Next => Start + _filled[_current];

    public int Count => _filled.Length;

    /// <summary>Where the region begins that is being filled, and where what is in it ends.</summary>
    public (int Start, int End) Current => (Start, Next);

    /// <summary>As <see cref="Current"/>, of any of them.</summary>
    public (int Start, int End) Filled(int region) => (region * Size, (region * Size) + _filled[region]);

    private int Start => _current * Size;

    public bool HasRoom(int bytes) => _filled[_current] + bytes <= Size;

    /// <summary>The next piece is there.</summary>
    public void Take(int bytes) => _filled[_current] += (bytes + Alignment - 1) & -Alignment;

    /// <summary>On to the next region, the one that was filled first: what is in it has to go.</summary>
    public void Advance() => _current = (_current + 1) % _filled.Length;

    /// <summary>There is nothing in the current region any more.</summary>
    public void Empty() => _filled[_current] = 0;

    /// <summary>There is nothing in any of them.</summary>
    public void Clear()
    {
        Array.Clear(_filled);
        _current = 0;
    }
}
