using System.ComponentModel;
using System.Diagnostics;
using Akvam.Machine;

namespace Akvam.Cli.Bench;

/// <summary>The benchmark guests: their sources in the working tree, and what the makefile there builds from them.</summary>
internal sealed class BenchGuests
{
    private readonly string _root, _folder;

    private BenchGuests(string root, string folder)
    {
        _root = root;
        _folder = folder;
    }

    /// <summary>All of them, in the order of the report.</summary>
    public static IReadOnlyList<string> All { get; } = ["int", "mem", "fp", "call", "loop", "mmu", "sys", "io", "smc", "smi"];

    /// <summary>Where the built files are.</summary>
    public string Folder => _folder;

    /// <summary>Builds all guests and native twins.</summary>
    /// <param name="output">Where to; null for the place below the working tree's build output.</param>
    /// <exception cref="MachineException">The sources or the tools are missing, or the build fails.</exception>
    public static BenchGuests Build(string? output = null)
    {
        string root = FindRoot();
        output ??= Path.Combine(root, "artifacts", "bench");
        Directory.CreateDirectory(output);
        var start = new ProcessStartInfo("make", ["-s", "-C", Path.Combine(root, "bench", "guests"), $"OUT={output}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process make = Process.Start(start)!;
            Task<string> errors = make.StandardError.ReadToEndAsync();
            _ = make.StandardOutput.ReadToEnd();
            make.WaitForExit();
            return make.ExitCode == 0 ? new BenchGuests(root, output) : throw new MachineException($"the benchmark guests could not be built: {FirstError(errors.Result)}");
        }
        catch (Win32Exception e)
        {
            throw new MachineException("the benchmark guests are built with make and a C compiler, and make is not there; on Debian: apt-get install make gcc", e);
        }
    }

    /// <summary>The program that brings Akvam to others, at the top of the working tree.</summary>
    public string Script => Path.Combine(_root, "akvam");

    /// <summary>The guest's multiboot image.</summary>
    public string Image(string guest) => Path.Combine(_folder, $"{guest}.elf");

    /// <summary>The native twin, or null where the guest needs privileges and has none.</summary>
    public string? Twin(string guest) => Path.Combine(_folder, $"{guest}.native") is var path && File.Exists(path) ? path : null;

    private static string FirstError(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.FirstOrDefault(l => l.Contains("error", StringComparison.OrdinalIgnoreCase) || l.Contains("not found", StringComparison.Ordinal))
            ?? lines.FirstOrDefault() ?? "make said nothing";
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "bench", "guests", "Makefile")))
            {
                return folder.FullName;
            }
        }

        throw new MachineException($"the sources of the benchmark guests (bench/guests) are in no folder above {AppContext.BaseDirectory}");
    }
}
