using System.Diagnostics;
using System.Globalization;
using System.Text;
using Akvam.Cli.Packages;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Loading;
using Akvam.Machine.Packages;

namespace Akvam.Cli.Bench;

/// <summary>Boots the same Linux on each engine, up to the line that our initramfs prints, and measures CPU time and memory there.</summary>
internal sealed class LinuxRun
{
    /// <summary>The kernel that <c>./akvam boot</c> boots, and Debian's for real machines with the self-tests that it begins with.</summary>
    public const string Guest = "linux", StandardGuest = "debian";
    public const int Megabytes = 256;

    private const string StandardKernel = "linux-image-amd64";

    private const string Marker = "AKVAM-GUEST-UP";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private LinuxRun(string guest, string kernel, string initrd)
    {
        Name = guest;
        Kernel = kernel;
        Initrd = initrd;
    }

    /// <summary>Both.</summary>
    public static IReadOnlyList<string> Guests { get; } = [Guest, StandardGuest];

    /// <summary>Which of them.</summary>
    public string Name { get; }

    /// <summary>The kernel's file.</summary>
    public string Kernel { get; }

    /// <summary>The initramfs' file.</summary>
    public string Initrd { get; }

    /// <summary>What is added to the command line of <c>./akvam boot</c>.</summary>
    public string Append => Name == StandardGuest ? "cryptomgr.notests=0" : "";

    /// <summary>The kernel's whole command line.</summary>
    public string CommandLine => $"console=ttyS0 panic=-1 cryptomgr.notests {Append}".TrimEnd();

    /// <summary>The phase of CPU time up to the marker.</summary>
    public static string BootPhase(string guest) => $"{guest}.boot";

    /// <summary>The phase of memory there.</summary>
    public static string MemoryPhase(string guest) => $"{guest}.memory";

    /// <summary>Gets the kernel and makes the initramfs.</summary>
    /// <param name="guest">One of <see cref="Guests"/>.</param>
    /// <param name="folder">Where to put the initramfs.</param>
    public static LinuxRun Prepare(string guest, string folder)
    {
        GuestFiles files = GuestDownloads.Get(needKernel: true, guest == StandardGuest ? StandardKernel : null);
        string initrd = Path.Combine(folder, "initrd");
        File.WriteAllBytes(initrd, InitramfsBuilder.Build(GuestImage.ReadFile(files.Busybox)));
        return new LinuxRun(guest, files.Kernel, initrd);
    }

    /// <summary>Boots once.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="memory">Resident bytes beyond the guest's memory at the marker.</param>
    /// <param name="failure">Why the run counts as failed, or null.</param>
    /// <returns>CPU time up to the marker; zero if it was not reached.</returns>
    public static TimeSpan Run(string[] command, out long memory, out string? failure)
    {
        memory = 0;
        failure = null;
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        using var guard = new Timer(_ => process.Kill(), null, s_limit, Timeout.InfiniteTimeSpan);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        Stream output = process.StandardOutput.BaseStream;
        for (int count; (count = output.Read(buffer)) > 0;)
        {
            text.Append(Encoding.Latin1.GetString(buffer, 0, count));
            if (text.ToString().Contains(Marker, StringComparison.Ordinal))
            {
                TimeSpan time = ProcessClock.Read(process.Id) ?? TimeSpan.Zero;
                memory = BeyondGuest(File.ReadAllLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/smaps")));
                process.Kill();
                process.WaitForExit();
                return time;
            }
        }

        process.WaitForExit();
        string[] lines = $"{errors.Result}\n{text}".Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        failure = $"did not print {Marker}; {(lines.Length > 0 ? lines[^1] : "it said nothing")}";
        return TimeSpan.Zero;
    }

    /// <summary>Resident bytes of all mappings but the guest's memory, which is the smallest one that is large enough for it. [proc(5) smaps]</summary>
    /// <param name="smaps">The lines of /proc/PID/smaps.</param>
    public static long BeyondGuest(IEnumerable<string> smaps)
    {
        const string size = "Size:", resident = "Rss:";
        long all = 0, guest = 0, smallest = long.MaxValue, mapping = 0;
        bool writable = false;
        foreach (string line in smaps)
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0].Contains('-', StringComparison.Ordinal))
            {
                writable = words[1].StartsWith("rw-", StringComparison.Ordinal);
            }
            else if (words[0] == size)
            {
                mapping = long.Parse(words[1], CultureInfo.InvariantCulture);
            }
            else if (words[0] == resident)
            {
                long kilobytes = long.Parse(words[1], CultureInfo.InvariantCulture);
                all += kilobytes;
                if (writable && mapping >= Megabytes << 10 && mapping < smallest)
                {
                    smallest = mapping;
                    guest = kilobytes;
                }
            }
        }

        return (all - guest) << 10;
    }
}
