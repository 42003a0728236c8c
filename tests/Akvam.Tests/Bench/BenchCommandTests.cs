using System.Diagnostics;
using System.Text.Json;

namespace Akvam.Tests.Bench;

public sealed class BenchCommandTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task ARunComparesTheEnginesThatAreThere()
    {
        string json = Path.Combine(_folder, "samples.json");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "akvam-cli"),
            ["bench", "--engines", "native,translator,tcg", "--guests", "loop,smi", "--rounds", "2", "--scale", "20", "--json", json])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = Tools();
        using Process process = Process.Start(start)!;
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        Task<string> errors = process.StandardError.ReadToEndAsync(cancelled);
        string output = await process.StandardOutput.ReadToEndAsync(cancelled).WaitAsync(s_limit, cancelled);
        await process.WaitForExitAsync(cancelled).WaitAsync(s_limit, cancelled);
        Assert.True(process.ExitCode == 0, $"exit code {process.ExitCode}\n{await errors}\n{output}");
        Assert.Contains("no tcg: qemu-system-x86_64 is not installed", output, StringComparison.Ordinal);
        Assert.Contains("translator / native", output, StringComparison.Ordinal);
        Assert.Contains("smi.apm", output, StringComparison.Ordinal);

        using JsonDocument samples = JsonDocument.Parse(await File.ReadAllTextAsync(json, cancelled));
        JsonElement alu = samples.RootElement.GetProperty("phases").EnumerateArray().Single(p => p.GetProperty("phase").GetString() == "loop.alu");
        double[] here = [.. alu.GetProperty("translator").EnumerateArray().Select(e => e.GetDouble())];
        Assert.NotEmpty(here);
        Assert.All(here, nanoseconds => Assert.InRange(nanoseconds, 0.01, 10_000));
    }

    /// <summary>A folder with the tools that the build needs and nothing else, so that QEMU is missing wherever the test runs.</summary>
    private string Tools()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "tools")).FullName;
        foreach (string tool in (string[])["make", "cc", "as", "ld", "objcopy", "sh", "mkdir"])
        {
            string? path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, tool)).FirstOrDefault(File.Exists);
            Assert.True(path is not null, $"{tool} is not on this machine");
            File.CreateSymbolicLink(Path.Combine(folder, tool), path);
        }

        return folder;
    }
}
