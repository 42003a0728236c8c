using System.Diagnostics;
using System.Globalization;

namespace Akvam.Machine;

/// <summary>A file with one line for each event: time, vCPU, name as the kernel's tracepoints have it, fields.</summary>
public sealed class EventTrace : IDisposable
{
    private readonly Lock _lock = new();
    private readonly StreamWriter _writer;
    private readonly long _start = Stopwatch.GetTimestamp();
    private bool _closed;

    /// <summary>Creates the file.</summary>
    /// <exception cref="MachineException">It cannot be written.</exception>
    public EventTrace(string path)
    {
        try
        {
            _writer = new StreamWriter(path, append: false, new System.Text.UTF8Encoding(false), bufferSize: 1 << 16);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new MachineException($"{path}: the trace cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Writes a line.</summary>
    public void Write(uint vcpu, string name, string fields)
    {
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            try
            {
                _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds,12:F6} vcpu {vcpu} {name}: {fields}"));
            }
            catch (IOException)
            {
                _closed = true;         // a full disk ends the trace, not the machine
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
            try
            {
                _writer.Dispose();
            }
            catch (IOException)
            {
            }
        }
    }
}
