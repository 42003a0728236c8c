using System.Formats.Tar;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Akvam.Machine.Packages;

/// <summary>Gets packages with apt into a private state; nothing is installed and no root rights are needed.</summary>
/// <remarks>The host's package sources and keys are used, so what comes is signed and of the host's release.</remarks>
public sealed partial class AptPackages : IPackageSource
{
    /// <summary>By preference: the cloud kernel is small, and its LZ4 image unpacks much faster in a guest than XZ.</summary>
    private static readonly string[] s_kernels = ["linux-image-cloud-amd64", "linux-image-amd64", "linux-image-virtual", "linux-image-generic"];

    /// <summary>Package lists, the packages, and one of them unpacked.</summary>
    private const long NeededBytes = 512L << 20;

    /// <summary>apt waits for ever on a full disk, so it is stopped a little before.</summary>
    private const long ReserveBytes = 1L << 20;

    private readonly Func<string, string[], string, Action<string>, ToolResult> _run;
    private readonly string[] _kernels = s_kernels;

    /// <param name="run">Runs a program with arguments in a folder and passes on each line of its output; replaced in tests.</param>
    public AptPackages(Func<string, string[], string, Action<string>, ToolResult>? run = null) => _run = run ?? Tool.Run;

    /// <param name="kernel">The one kernel that is wanted, by the name of its meta-package.</param>
    public AptPackages(string kernel)
        : this() => _kernels = [kernel];

    /// <summary>Whether the host has apt and dpkg-deb.</summary>
    public static bool IsAvailable => Tool.Find("apt-get") is not null && Tool.Find("dpkg-deb") is not null;

    public byte[] GetKernel(string folder, IFetchProgress progress)
    {
        Prepare(folder, progress);
        progress.Step("looking for a kernel package");
        foreach (string meta in _kernels)
        {
            if (BehindMetaPackage(folder, meta) is { } package)
            {
                return Extract(folder, Download(folder, package, progress), path => path.StartsWith("boot/vmlinuz", StringComparison.Ordinal), package);
            }
        }

        throw new MachineException("apt knows no Linux kernel package here. Pass a kernel: akvam boot --kernel VMLINUZ");
    }

    public byte[] GetBusybox(string folder, IFetchProgress progress)
    {
        Prepare(folder, progress);
        string file = Download(folder, "busybox-static", progress);
        return Extract(folder, file, path => path is "bin/busybox" or "usr/bin/busybox", "busybox-static");
    }

    public void CleanUp(string folder)
    {
        string state = Apt(folder);
        if (Directory.Exists(state))
        {
            Directory.Delete(state, recursive: true);
        }
    }

    private static string Apt(string folder) => Path.Combine(folder, "apt");

    /// <summary>Writes the private configuration and reads the package lists, once.</summary>
    private void Prepare(string folder, IFetchProgress progress)
    {
        string state = Apt(folder), updated = Path.Combine(state, "updated");
        if (File.Exists(updated))
        {
            return;
        }

        CheckSpace(folder, NeededBytes);
        Directory.CreateDirectory(Path.Combine(state, "lists", "partial"));
        Directory.CreateDirectory(Path.Combine(state, "archives", "partial"));
        File.WriteAllText(Path.Combine(state, "status"), "");
        File.WriteAllText(Path.Combine(state, "apt.conf"), $$"""
            APT::Architecture "amd64";
            APT::Architectures { "amd64"; };
            APT::Sandbox::User "";
            Dir::State "{{state}}";
            Dir::State::lists "{{state}}/lists";
            Dir::State::status "{{state}}/status";
            Dir::Cache "{{state}}";
            Dir::Cache::archives "{{state}}/archives";
            Acquire::Languages "none";
            Acquire::Retries "2";
            APT::Update::Post-Invoke { };
            APT::Update::Post-Invoke-Success { };

            """);
        progress.Step("reading the package lists");
        ToolResult result = RunApt(folder, progress, "update");
        // A mirror in the middle of its own update may lack an index; what is there may be enough, and the download will tell.
        bool lists = Directory.EnumerateFiles(Path.Combine(state, "lists"), "*Packages*").Any();
        if (!lists)
        {
            throw new MachineException(Explain("reading the package lists", result));
        }

        File.WriteAllText(updated, "");
    }

    private static void CheckSpace(string folder, long needed)
    {
        long free = new DriveInfo(folder).AvailableFreeSpace;
        if (free < needed)
        {
            throw new MachineException(
                $"the disk with {folder} is full: {free >> 20} MiB free, {NeededBytes >> 20} MiB needed; make room or set XDG_CACHE_HOME to another folder");
        }
    }

    private string? BehindMetaPackage(string folder, string meta)
    {
        string? found = null;
        _ = _run("apt-cache", ["-c", Path.Combine(Apt(folder), "apt.conf"), "depends", "--no-recommends", "--no-suggests", meta], folder, line =>
        {
            Match match = DependsOnImage().Match(line);
            if (match.Success)
            {
                found ??= match.Groups[1].Value;
            }
        });
        return found;
    }

    private string Download(string folder, string package, IFetchProgress progress)
    {
        string archives = Path.Combine(Apt(folder), "archives");
        progress.Step($"downloading {package}");
        ToolResult result = RunApt(folder, progress, "download", package);
        string? file = Directory.EnumerateFiles(archives, $"{package}_*.deb").OrderByDescending(File.GetLastWriteTimeUtc).FirstOrDefault();
        return result.ExitCode == 0 && file is not null
            ? file
            : throw new MachineException(Explain($"downloading {package}", result));
    }

    private ToolResult RunApt(string folder, IFetchProgress progress, params string[] arguments)
    {
        string state = Apt(folder);
        string[] all = ["-c", Path.Combine(state, "apt.conf"), "-qq", "-o", "APT::Status-Fd=1", .. arguments];
        return _run("apt-get", all, Path.Combine(state, "archives"), line =>
        {
            CheckSpace(folder, ReserveBytes);
            // dlstatus:ITEM:PERCENT:text, apt's own format for machines
            string[] parts = line.Split(':', 4);
            if (parts.Length == 4 && parts[0] == "dlstatus" && double.TryParse(parts[2], CultureInfo.InvariantCulture, out double percent))
            {
                progress.Percent(percent);
            }
        });
    }

    private byte[] Extract(string folder, string package, Func<string, bool> wanted, string name)
    {
        string tar = Path.Combine(Apt(folder), "content.tar");
        ToolResult result = _run("sh", ["-c", "exec dpkg-deb --fsys-tarfile \"$0\" > \"$1\"", package, tar], folder, _ => { });
        if (result.ExitCode != 0)
        {
            File.Delete(package);       // a damaged download must not stop the next try
            throw new MachineException(Explain($"unpacking {name}", result));
        }

        using FileStream stream = File.OpenRead(tar);
        using var reader = new TarReader(stream);
        while (reader.GetNextEntry() is { } entry)
        {
            string path = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
            if (wanted(path) && entry.DataStream is { } data)
            {
                using var copy = new MemoryStream();
                data.CopyTo(copy);
                return copy.ToArray();
            }
        }

        throw new MachineException($"the package {name} does not hold the expected file; is this a Debian archive?");
    }

    /// <summary>One line from apt's several.</summary>
    private static string Explain(string action, ToolResult result)
    {
        string errors = result.Errors;
        if (errors.Contains("No space left on device", StringComparison.Ordinal) || errors.Contains("enough free space", StringComparison.Ordinal))
        {
            return $"{action}: the disk with the cache folder is full; make room or set XDG_CACHE_HOME to another folder";
        }

        string[] lines = [.. errors.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0)];
        string? network = lines.FirstOrDefault(l => NetworkTrouble().IsMatch(l));
        string line = lines.LastOrDefault(l => l.StartsWith("E:", StringComparison.Ordinal)) ?? lines.LastOrDefault() ?? $"exit code {result.ExitCode}";
        return network is not null
            ? $"{action}: the package mirror cannot be reached ({network}). Check the network, or pass files: akvam boot --kernel VMLINUZ --initrd INITRD"
            : $"{action}: {line}. To go without packages: akvam boot --kernel VMLINUZ --initrd INITRD";
    }

    [GeneratedRegex(@"^\s*Depends:\s*(linux-image-(?:unsigned-)?[0-9][^ ]*)")]
    private static partial Regex DependsOnImage();

    [GeneratedRegex("Could not resolve|Temporary failure resolving|Could not connect|Connection (failed|refused|timed out)|Failed to fetch|Unable to connect|Network is unreachable")]
    private static partial Regex NetworkTrouble();
}
