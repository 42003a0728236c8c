using System.Diagnostics;
using System.Globalization;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>
/// The file that AKVAM_TRACE names, with one line for each event of the client's processors, as 'akvam run --trace' writes; "%p" in the name becomes the
/// process's id. A client has no option for it.
/// </summary>
internal sealed class TraceFile
{
    private readonly Lock _lock = new();
    private readonly StreamWriter _writer;
    private readonly long _start = Stopwatch.GetTimestamp();
    private bool _failed;

    private TraceFile(string path) => _writer = new StreamWriter(path, append: true) { AutoFlush = true };

    /// <summary>The file, or null where the environment names none.</summary>
    /// <exception cref="KvmException">EIO: it cannot be written.</exception>
    public static TraceFile? Open()
    {
        if (Environment.GetEnvironmentVariable("AKVAM_TRACE") is not { Length: > 0 } path)
        {
            return null;
        }

        try
        {
            return new TraceFile(path.Replace("%p", Environment.ProcessId.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Console.Error.WriteLine($"akvam: {path}: the trace cannot be written: {e.Message}");
            throw new KvmException(Errno.EIO, path);
        }
    }

    /// <summary>Writes a processor's events from now on.</summary>
    public void Follow(Vcpu vcpu) => vcpu.Trace = (name, fields) => Write(vcpu.Id, name, fields);

    public void Close()
    {
        lock (_lock)
        {
            _failed = true;
            _writer.Dispose();
        }
    }

    private void Write(uint vcpu, string name, string fields)
    {
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        lock (_lock)
        {
            if (_failed)
            {
                return;
            }

            try
            {
                _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds,12:F6} vcpu {vcpu} {name}: {fields}"));
            }
            catch (IOException)
            {
                _failed = true;         // a full disk ends the trace, not the client
            }
        }
    }
}
