using System.Globalization;
using System.Text;
using Akvam.Cpu.Diagnostics;

namespace Akvam.Diagnostics;

/// <summary>
/// The file in which <c>perf</c> looks for the names of generated code, /tmp/perf-PID.map: a line "start size name" in hexadecimal for each piece.
/// [Linux tools/perf/Documentation/jit-interface.txt]
/// </summary>
internal sealed class PerfMap : ITranslationObserver, IDisposable
{
    // The runtime may write the same file, and so may other VMs of the process: each line is one write at the end of it.
    private readonly FileStream _file;

    public PerfMap(string path) => _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);

    /// <summary>Where perf looks for the map of this process.</summary>
    public static string DefaultPath => string.Create(CultureInfo.InvariantCulture, $"/tmp/perf-{Environment.ProcessId}.map");

    public void Translated(in Translation translation) => _file.Write(Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"{translation.HostAddress:x} {translation.Host.Length:x} guest_{translation.Linear:x}\n")));

    public void Dispose() => _file.Dispose();
}
