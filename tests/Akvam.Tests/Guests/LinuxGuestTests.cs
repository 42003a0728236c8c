using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using Akvam.Machine;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Packages;

namespace Akvam.Tests.Guests;

/// <summary>An unmodified Linux kernel boots, works and switches off, started as a user starts it.</summary>
[Trait("Category", "Slow")]
public sealed class LinuxGuestTests : IDisposable
{
    private const string LongRun = "AKVAM_TEST_LONG";
    private const string Check = "AKVAM-CHECK ";
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-boot-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task TheKernelOfTheCacheBootsAndWorks(int cpus) => await Boot(Fetch(new AptPackages(), ""), cpus);

    /// <summary>The same boot on both engines at once, compared up to the end of the checks; also with all code translated at once, stopped at instructions that chance does not choose, and with little room for code.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    [InlineData(2, false, 64)]
    public async Task TheEnginesAgreeInstructionForInstruction(int cpus, bool translateAll, int smallerCaches = 1)
    {
        GuestFiles files = Fetch(new AptPackages(), "");
        (int exit, string output, string errors) = await Run(
            [("AKVAM_TEST_CACHES", $"{smallerCaches}"), ("AKVAM_TRANSLATE_AFTER", translateAll ? "0" : "")],
            ["check", "--kernel", files.Kernel, "--initrd", WriteInitrd(files), "--cpus", $"{cpus}", "--append", "rdinit=/check", "--every", translateAll ? "20011" : "0"]);
        Assert.True(exit == 0, $"exit code {exit}\n{errors}\n{output}");
        Assert.Contains("AKVAM-GUEST-DONE", output, StringComparison.Ordinal);
        Assert.Matches("akvam: no difference in [0-9,]{11,} instructions: .*; poweroff 0", errors);
    }

    /// <summary>Debian's kernel for real machines: 70 MB to download and far more drivers to start, so only in a long run.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task TheStandardKernelBootsAndWorks(int cpus)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable(LongRun) is { Length: > 0 }, $"downloads 70 MB; {LongRun}=1 turns it on");
        await Boot(Fetch(new AptPackages("linux-image-amd64"), "linux-image-amd64"), cpus);
    }

    private static GuestFiles Fetch(AptPackages packages, string folder)
    {
        var cache = new PackageCache(Path.Combine(PackageCache.DefaultFolder(Environment.GetEnvironmentVariable), folder));
        try
        {
            return cache.Get(AptPackages.IsAvailable ? packages : new HostFiles(), new Silent(), needKernel: true);
        }
        catch (MachineException e) when (!AptPackages.IsAvailable || e.Message.Contains("cannot be reached", StringComparison.Ordinal))
        {
            Assert.Skip($"no packages to be had: {e.Message}");
            throw;
        }
    }

    private async Task Boot(GuestFiles files, int cpus)
    {
        (int exit, string output, string errors) = await Run("boot", "--kernel", files.Kernel, "--initrd", WriteInitrd(files), "--cpus", $"{cpus}", "--append", "rdinit=/check");
        string all = $"{errors}\n{output}";
        Assert.True(exit == 0, $"exit code {exit}\n{all}");
        Assert.Contains("AKVAM-GUEST-UP Linux ", output, StringComparison.Ordinal);
        Assert.Contains("AKVAM-GUEST-DONE", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Kernel panic", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Call Trace", output, StringComparison.Ordinal);
        Dictionary<string, string> checks = Checks(output);
        double slept = double.Parse(checks["sleep"], CultureInfo.InvariantCulture);
        Assert.InRange(slept, 0.98, 20);        // a loaded host makes it longer, nothing makes it shorter
        checks.Remove("sleep");
        Assert.Equal(Expected(cpus), checks);
    }

    private static Dictionary<string, string> Expected(int cpus)
    {
        double sum = 0;
        for (double i = 1; i <= 2000; i++)
        {
            sum += (1 / (i * i)) + (i / 7e6);
        }

        var expected = new Dictionary<string, string>
        {
            ["cpus"] = $"{cpus}",
            ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(new byte[16 * 65536])),
            ["float"] = sum.ToString("F15", CultureInfo.InvariantCulture),
            ["sums"] = string.Join(' ', Enumerable.Repeat("199990000", cpus)),
        };
        for (int cpu = 0; cpu < cpus; cpu++)
        {
            expected[$"task{cpu}"] = $"{cpu}";
        }

        return expected;
    }

    private static Dictionary<string, string> Checks(string output) =>
        output.Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith(Check, StringComparison.Ordinal))
            .Select(line => line[Check.Length..].Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim());

    /// <summary>The initramfs of <c>akvam boot</c> with our script behind it: Linux unpacks archives that follow each other.</summary>
    private string WriteInitrd(GuestFiles files)
    {
        var script = new CpioWriter();
        using Stream text = Assembly.GetExecutingAssembly().GetManifestResourceStream("Akvam.Tests.check.sh")!;
        byte[] content = new byte[text.Length];
        text.ReadExactly(content);
        script.AddFile("check", content);
        string path = Path.Combine(_folder, "initrd");
        File.WriteAllBytes(path, [.. InitramfsBuilder.Build(File.ReadAllBytes(files.Busybox)), .. script.ToArray()]);
        return path;
    }

    private static Task<(int Exit, string Output, string Errors)> Run(params string[] arguments) => Run([], arguments);

    /// <param name="environment">Variables besides those that are there.</param>
    /// <param name="arguments">The command.</param>
    private static async Task<(int Exit, string Output, string Errors)> Run((string Name, string Value)[] environment, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "akvam-cli"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(s_limit);
        bool late = false;
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            late = true;
            process.Kill();
        }

        string text = await output;
        Assert.False(late, $"did not end within {s_limit}\n{text}");
        return (process.ExitCode, text, await errors);
    }

    private sealed class Silent : IFetchProgress
    {
        public void Step(string what)
        {
        }

        public void Percent(double done)
        {
        }
    }
}
