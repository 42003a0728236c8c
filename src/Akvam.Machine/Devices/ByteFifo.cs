using System.Runtime.CompilerServices;

namespace Akvam.Machine.Devices;

/// <summary>A queue of at most a few bytes. Its count is a field, also for code that is compiled ahead, because devices look at it with each access.</summary>
/// <param name="capacity">How many bytes it holds: a power of two.</param>
internal sealed class ByteFifo(int capacity)
{
    private readonly byte[] _bytes = new byte[capacity];
    private int _first;
    private int _count;

    public int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _count;
    }

    /// <summary>Appends a byte; there is room.</summary>
    public void Enqueue(byte value) => _bytes[(_first + _count++) & (_bytes.Length - 1)] = value;

    /// <summary>Takes the oldest byte; there is one.</summary>
    public byte Dequeue()
    {
        byte value = _bytes[_first];
        _first = (_first + 1) & (_bytes.Length - 1);
        _count--;
        return value;
    }

    /// <summary>Takes the youngest byte; there is one.</summary>
    public byte TakeLast() => _bytes[(_first + --_count) & (_bytes.Length - 1)];

    public void Clear() => _count = 0;
}
