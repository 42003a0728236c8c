namespace Akvam.Machine.Devices;

/// <summary>A bounded queue between the thread that reads the host's input and the serial port.</summary>
public sealed class SerialQueue : ISerialInput
{
    private readonly LinkedList<byte> _bytes = new();
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _space;
    private readonly int _capacity;
    private volatile bool _held;

    /// <summary>How many characters wait, for those who look without the lock.</summary>
    private int _waiting;

    /// <param name="capacity">How many characters may wait before <see cref="Add"/> blocks.</param>
    public SerialQueue(int capacity = 4096)
    {
        _capacity = capacity;
        _space = new SemaphoreSlim(capacity, capacity);
    }

    /// <summary>The number of characters that wait.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _bytes.Count;
            }
        }
    }

    /// <summary>Whether characters are kept back although they are there, as between XOFF and XON.</summary>
    public bool Held
    {
        get => _held;
        set => _held = value;
    }

    /// <summary>Appends a character; waits while the queue is full.</summary>
    public void Add(byte value, CancellationToken cancellation = default)
    {
        _space.Wait(cancellation);
        lock (_lock)
        {
            _bytes.AddLast(value);
            Volatile.Write(ref _waiting, _bytes.Count);
        }
    }

    /// <summary>Appends a character unless the queue is full.</summary>
    public bool TryAdd(byte value)
    {
        if (!_space.Wait(0, CancellationToken.None))
        {
            return false;
        }

        lock (_lock)
        {
            _bytes.AddLast(value);
            Volatile.Write(ref _waiting, _bytes.Count);
        }

        return true;
    }

    public bool TryTake(out byte value)
    {
        if (Volatile.Read(ref _waiting) == 0)
        {
            value = 0;
            return false;
        }

        lock (_lock)
        {
            if (_held || _bytes.First is not { } first)
            {
                value = 0;
                return false;
            }

            value = first.Value;
            _bytes.RemoveFirst();
            Volatile.Write(ref _waiting, _bytes.Count);
            // A character that was put back came without a slot of its own, so the count may already be at the top.
            if (_space.CurrentCount < _capacity)
            {
                _space.Release();
            }

            return true;
        }
    }

    public void PutBack(byte value)
    {
        lock (_lock)
        {
            _bytes.AddFirst(value);
            Volatile.Write(ref _waiting, _bytes.Count);
            _space.Wait(0, CancellationToken.None);
        }
    }
}
