using System.Diagnostics;
using Akvam.Cli.Commands;
using Akvam.Machine;
using Akvam.Machine.Demo;
using Akvam.Tests.Architecture;

namespace Akvam.Tests.Machine;

public sealed class DemoTests
{
    [Fact]
    public void EveryStepOfTheDemoHappensInOrder()
    {
        var guest = new DemoGuest();
        guest.Run();
        Assert.Null(guest.Failure);
        Assert.Contains(guest.Events, e => e is { Vcpu: 0, InSmm: true });
        Assert.Equal("real mode, 32-bit protected mode, 64-bit mode, 32-bit compatibility mode",
            string.Join(", ", guest.Events.Where(e => e is { Vcpu: 0, InSmm: false }).Select(e => e.Mode).Distinct()));
    }

    [Fact]
    public void TheTraceNamesEventsAsTheKernelDoes()
    {
        string path = Path.GetTempFileName();
        try
        {
            using (var trace = new EventTrace(path))
            {
                new DemoGuest(trace).Run();
            }

            string[] lines = File.ReadAllLines(path);
            Assert.All(lines, line => Assert.Matches(@"^ *\d+\.\d{6} vcpu [01] \w+: ", line));
            Assert.Equal(5, lines.Count(l => l.Contains("kvm_enter_smm: ", StringComparison.Ordinal) && l.Contains("entering", StringComparison.Ordinal)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void TheTableIsRectangular()
    {
        DemoEvent[] events = [new(TimeSpan.FromMilliseconds(1.5), 0, "real mode", false, 0x8000, "one"), new(TimeSpan.Zero, 1, "64-bit mode", true, 1, "a longer one")];
        string[] lines = DemoTable.Format(events, color: false).TrimEnd().Split('\n');
        Assert.Equal(6, lines.Length);
        Assert.Single(lines.Select(l => l.TrimEnd().Length).Distinct());
        Assert.Contains("1,500", lines[3], StringComparison.Ordinal);
        Assert.Contains("  SMM", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void TheGuestIsItsSourceAssembled()
    {
        string source = Path.Combine(Repository.Root, "src", "Akvam.Machine", "Demo", "demo.asm");
        string output = Path.Combine(Path.GetTempPath(), $"akvam-demo-{Environment.ProcessId}.bin");
        try
        {
            using Process nasm = Process.Start("nasm", ["-f", "bin", "-o", output, source]);
            nasm.WaitForExit();
            Assert.Equal(0, nasm.ExitCode);
            using Stream embedded = typeof(DemoGuest).Assembly.GetManifestResourceStream("Akvam.Machine.demo.bin")!;
            byte[] committed = new byte[embedded.Length];
            embedded.ReadExactly(committed);
            Assert.Equal(File.ReadAllBytes(output), committed);
        }
        finally
        {
            File.Delete(output);
        }
    }
}
