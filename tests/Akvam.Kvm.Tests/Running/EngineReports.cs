using System.Globalization;
using Akvam.Cpu;

namespace Akvam.KvmTests.Running;

public sealed class EngineReports : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-report-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheReportNamesWhatHostCodeLeftToTheInterpreter()
    {
        using Guest guest = RunLoop(new VmOptions { TranslateAfter = 16 }.WithEngine("translator"));
        EngineReport report = guest.Vcpu.EngineReport;
        Assert.True(report.IsTranslator);
        Assert.Equal(guest.Vcpu.InstructionCount, report.Instructions);
        Assert.Contains(report.Interpreted, p => p.Key == "Cpuid" && p.Value is > 900 and < 1000);
        Assert.Matches(@"[\d,]{3,}\s+[\d.]+ ?%\s+Cpuid", report.ToString());
        Assert.Contains("to make room, no blocks lost their host code, no decoded blocks were dropped", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void TheReportSaysForHowLongTheGuestWaitedForRoom()
    {
        // A thousand times jmp to the next instruction, and hlt.
        byte[] code = [.. Enumerable.Repeat<byte[]>([0xEB, 0], 1000).SelectMany(jump => jump), 0xF4];
        using var guest = new Guest(code, options: new VmOptions { TranslateAfter = 0, CacheSizes = CodeCacheSizes.DividedBy(int.MaxValue) }.WithEngine("translator"));
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, 0));
        guest.Vcpu.Run();
        const string Pauses = @"in [\d,]+ pauses of \d+\.\d\d ms, \d+\.\d\d ms at most";
        Assert.Matches(@$"\n  to make room, [\d,]{{3,}} blocks lost their host code {Pauses}, [\d,]{{3,}} decoded blocks were dropped {Pauses}\n", guest.Vcpu.EngineReport.ToString());
    }

    [Fact]
    public void TheInterpreterReportsItsInstructions()
    {
        using Guest guest = RunLoop(new VmOptions().WithEngine("interpreter"));
        Assert.Empty(guest.Vcpu.EngineReport.Interpreted);
        Assert.Equal($"interpreter: {guest.Vcpu.InstructionCount.ToString("N0", CultureInfo.InvariantCulture)} guest instructions", guest.Vcpu.EngineReport.ToString());
    }

    /// <summary>What perf reads: the address, the size and the name of each piece of code.</summary>
    [Fact]
    public void PerfFindsGeneratedCode()
    {
        using (RunLoop(new VmOptions { PerfMap = true, TranslateAfter = 16 }.WithEngine("translator")))
        {
        }

        string path = string.Create(CultureInfo.InvariantCulture, $"/tmp/perf-{Environment.ProcessId}.map");
        Assert.Contains(File.ReadAllLines(path), line => line.EndsWith(" guest_1005", StringComparison.Ordinal) && line.Split(' ') is [{ Length: > 8 }, { Length: > 0 }, _]);
        File.Delete(path);
    }

    [Fact]
    public void TranslatedBlocksAreWrittenToAFile()
    {
        using (RunLoop(new VmOptions { DumpBlocks = _folder, TranslateAfter = 16 }.WithEngine("translator")))
        {
        }

        string text = File.ReadAllText(Path.Combine(_folder, "vcpu0.txt"));
        Assert.Contains("block 1005 (64-bit, ", text, StringComparison.Ordinal);
        Assert.Contains("  0000000000001005  0fa2 ", text, StringComparison.Ordinal);
        Assert.Contains("cpuid", text, StringComparison.Ordinal);
        Assert.Contains(" host:", text, StringComparison.Ordinal);
    }

    /// <summary>64-bit code: mov edi, 1000; (1005) cpuid; dec edi; jnz 1005; hlt.</summary>
    private static Guest RunLoop(VmOptions options)
    {
        var guest = new Guest([0xBF, 0xE8, 0x03, 0, 0, 0x0F, 0xA2, 0xFF, 0xCF, 0x75, 0xFA, 0xF4], options: options);
        guest.Vcpu.SetSregs(LongMode.Sregs(guest, 0));
        guest.Vcpu.Run();
        return guest;
    }
}
