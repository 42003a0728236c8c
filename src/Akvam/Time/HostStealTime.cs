using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;

namespace Akvam;

/// <summary>The run queue delay that Linux keeps of each thread.</summary>
internal sealed class HostStealTime : IStealTimeSource, IDisposable
{
    private const string Path = "/proc/thread-self/schedstat";

    private readonly ThreadLocal<SafeFileHandle> _files = new(() => File.OpenHandle(Path), trackAllValues: true);

    /// <summary>The host's kernel keeps them.</summary>
    public static bool IsAvailable { get; } = File.Exists(Path);

    public ulong WaitedNs()
    {
        // Time on a processor, time waiting for one, times that it ran: in nanoseconds.
        Span<byte> text = stackalloc byte[80];
        text = text[..RandomAccess.Read(_files.Value!, text, 0)];
        int space = text.IndexOf((byte)' ');
        return space >= 0 && Utf8Parser.TryParse(text[(space + 1)..], out ulong waited, out _) ? waited : 0;
    }

    public void Dispose()
    {
        foreach (SafeFileHandle file in _files.Values)
        {
            file.Dispose();
        }

        _files.Dispose();
    }
}
