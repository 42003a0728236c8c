using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Akvam.Tests.Preload;

/// <summary>Unmodified KVM clients in C. Each checks itself and says on standard error what is wrong.</summary>
public sealed class ClientTests
{
    [Theory]
    [InlineData("add")]
    [InlineData("badargs")]
    [InlineData("signals")]
    [InlineData("fork")]
    [InlineData("cpuid")]
    [InlineData("hostcpuid")]
    [InlineData("breakpoint")]
    [InlineData("memory")]
    [InlineData("cancel")]
    [InlineData("shared")]
    [InlineData("twovms")]
    [InlineData("fuzz")]
    [InlineData("fuzzrun")]
    public void ClientIsContent(string name)
    {
        using var client = new NativeClient(name);
        Assert.Equal((0, ""), client.Run());
    }

    [Fact]
    public void TheGuestsTscIsTheHosts()
    {
        Assert.SkipUnless(File.ReadAllText("/proc/cpuinfo").Contains(" nonstop_tsc", StringComparison.Ordinal), "this host's TSC does not count at one rate");
        string clock = File.ReadAllText("/sys/bus/clocksource/devices/clocksource0/current_clocksource").Trim();
        Assert.SkipUnless(clock is "tsc" or "kvm-clock" or "hyperv_clocksource_tsc_page", $"this host keeps time by {clock}");
        using var client = new NativeClient("tsc");
        Assert.Equal((0, ""), client.Run());
    }

    [Fact]
    public void FilesBelowSysSpeakOfAkvam()
    {
        using var client = new NativeClient("attributes");
        Assert.Equal((0, ""), client.Run(("AKVAM_PARAMETERS", "nested=1 force_emulation_prefix=1")));
    }

    [Fact]
    public void TheEnvironmentNamesAFileForTheTrace()
    {
        string path = Path.GetTempFileName();
        try
        {
            using var client = new NativeClient("smi");
            Assert.Equal((0, ""), client.Run(("AKVAM_TRACE", path)));
            string[] events = [.. File.ReadAllLines(path).Select(line => line[line.IndexOf("vcpu", StringComparison.Ordinal)..])];
            string[] expected =
            [
                "vcpu 0 kvm_enter_smm: vcpu 0: entering SMM, smbase 0x30000", "vcpu 0 smm_entry: 64-bit map at 0x3fe00: rip 0x1000 ", "vcpu 0 kvm_enter_smm: vcpu 0: leaving SMM, ",
                "vcpu 0 smm_exit: smbase 0x30000: rip 0x1000 ", "vcpu 0 kvm_enter_smm: vcpu 0: entering ", "vcpu 0 smm_entry: 64-bit map at 0x3fe00: rip 0x1001 ",
                "vcpu 0 kvm_enter_smm: vcpu 0: leaving SMM, ", "vcpu 0 rsm_failed: CR0 0x160000010: bits above 31",
            ];
            Assert.Equal(expected.Length, events.Length);
            Assert.All(expected.Zip(events), pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(path);
        }

        using var refused = new NativeClient("smi");
        (int exit, string output) = refused.Run(("AKVAM_TRACE", "/no/such/folder/file"));
        Assert.Equal(1, exit);
        Assert.Contains("akvam: /no/such/folder/file: the trace cannot be written", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SeveralClientsRunAtOnce()
    {
        using var client = new NativeClient("add");
        Task<(int ExitCode, string Output)>[] runs = [Task.Run(() => client.Run()), Task.Run(() => client.Run()), Task.Run(() => client.Run())];
        Assert.All(await Task.WhenAll(runs), run => Assert.Equal((0, ""), run));
    }

    /// <summary>No process, no file in the places for temporary ones.</summary>
    [Fact]
    public async Task AKilledClientLeavesNothingBehind()
    {
        using var client = new NativeClient("busy");
        using Process process = client.Start();
        Assert.Equal("running", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        string id = process.Id.ToString(CultureInfo.InvariantCulture);
        Assert.Empty(ChildrenOf(id));
        process.Kill();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(128 + 9, process.ExitCode);
        var name = new Regex($"(^|[^0-9]){id}([^0-9]|$)");
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries("/tmp").Concat(Directory.EnumerateFileSystemEntries("/dev/shm")), path => name.IsMatch(Path.GetFileName(path)));
    }

    private static List<string> ChildrenOf(string id)
    {
        var children = new List<string>();
        foreach (string thread in Directory.EnumerateDirectories($"/proc/{id}/task"))
        {
            children.AddRange(File.ReadAllText(Path.Combine(thread, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }

        return children;
    }
}
