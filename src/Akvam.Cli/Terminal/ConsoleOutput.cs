namespace Akvam.Cli.Terminal;

/// <summary>Standard output or error for a guest's characters: whole lines at once, anything else after a few milliseconds.</summary>
internal sealed class ConsoleOutput : IDisposable
{
    private const int Capacity = 4096;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(5);

    private readonly int _descriptor;
    private readonly byte[] _buffer = new byte[Capacity];
    private readonly Lock _lock = new();
    private readonly Timer _timer;
    private readonly Action<string> _failed;
    private int _used;
    private bool _broken;

    /// <param name="descriptor">1 or 2.</param>
    /// <param name="failed">Called once when nobody reads the output any more or it cannot be written.</param>
    public ConsoleOutput(int descriptor, Action<string> failed)
    {
        _descriptor = descriptor;
        _failed = failed;
        _timer = new Timer(static state => ((ConsoleOutput)state!).Flush(), this, Timeout.Infinite, Timeout.Infinite);
    }

    /// <summary>Appends a character.</summary>
    public void Write(byte value)
    {
        lock (_lock)
        {
            bool first = _used == 0;
            _buffer[_used++] = value;
            if (value == (byte)'\n' || _used == Capacity)
            {
                FlushLocked();
            }
            else if (first)
            {
                _timer.Change(s_patience, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Writes what is waiting.</summary>
    public void Flush()
    {
        lock (_lock)
        {
            FlushLocked();
        }
    }

    public void Dispose()
    {
        Flush();
        _timer.Dispose();
    }

    private void FlushLocked()
    {
        int count = _used;
        _used = 0;
        if (count == 0 || _broken)
        {
            return;
        }

        try
        {
            Libc.Write(_descriptor, _buffer.AsSpan(0, count));
        }
        catch (IOException e)
        {
            _broken = true;
            _failed(e.Message);
        }
    }
}
