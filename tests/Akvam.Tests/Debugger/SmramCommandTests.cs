using System.Diagnostics;
using Akvam.Debugger.Smram;

namespace Akvam.Tests.Debugger;

/// <summary><c>akvam smram</c> as its users start it.</summary>
public sealed class SmramCommandTests : IDisposable
{
    private const int LimitMilliseconds = 60_000;

    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AnImageIsPrintedAloneAndInADump()
    {
        string image = Save("image", SmramSamples.Qemu());
        (int exit, string output, string error) = Start("smram", image);
        Assert.Equal((0, ""), (exit, error));
        foreach (string text in (string[])["format qemu32, 32-bit protected mode, CPL 0", "a0000001", "CF PF ZF DF", "PE ET NW CD", "code, readable, 32-bit, DPL 0", "SMBASE may move"])
        {
            Assert.Contains(text, output, StringComparison.Ordinal);
        }

        byte[] whole = new byte[0x1_0000];
        SmramSamples.Qemu().CopyTo(whole, SmramImage.Start);
        Assert.Equal((0, output, ""), Start("smram", Save("whole", whole)));
        Assert.Equal((0, output, ""), Start("smram", Save("half", whole[0x8000..])));
        string moved = Save("moved", [.. new byte[0x3_0000], .. whole]);
        Assert.Equal((0, output, ""), Start("smram", moved, "--at", "30000"));
        Assert.Contains("no differences", Start("smram", moved, "--at", "30000", "--diff", moved).Output, StringComparison.Ordinal);
        Assert.Contains("no differences", Start("smram", moved, "--at", "30000", "--diff", image).Output, StringComparison.Ordinal);
        Assert.Equal((1, "", $"akvam: {moved}: only zeros at fe00h, where the image would be; --at says where SMBASE lies in the file\n"), Start("smram", moved));
    }

    [Fact]
    public void DifferencesAreMarkedAcrossFormats()
    {
        var other = new SmramImage(SmramSamples.Qemu(), SmramFormat.Qemu32);
        other.Write(SmramMaps.Find(SmramFormat.Qemu32, "EIP")!, 0xF00B5);
        other.Write(SmramMaps.Find(SmramFormat.Qemu32, "DS.base")!, 0x2000);
        string one = Save("one", SmramSamples.Qemu()), two = Save("two", SmramConverter.Convert(other, SmramFormat.Bochs32, out _).Bytes);
        (int exit, string output, string error) = Start("smram", one, "--diff", two);
        Assert.Equal((0, ""), (exit, error));
        Assert.Contains("≠ 000f00b5", output, StringComparison.Ordinal);
        Assert.Contains("≠ 00002000", output, StringComparison.Ordinal);
        Assert.Equal(2, output.Split("≠ ").Length - 1);
        Assert.Contains("2 fields differ", output, StringComparison.Ordinal);
        Assert.Contains("no differences", Start("smram", one, "--diff", one).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void AConvertedImageIsWritten()
    {
        string from = Save("from", SmramSamples.Qemu()), to = Path.Combine(_folder, "to");
        (int exit, string output, string error) = Start("smram", from, "--convert", "bochs32", "--output", to);
        Assert.Equal((0, ""), (exit, error));
        Assert.Contains("format bochs32", output, StringComparison.Ordinal);
        Assert.Equal(SmramFormat.Bochs32, SmramDetector.Detect(File.ReadAllBytes(to)));
    }

    [Theory]
    [InlineData(2, "")]
    [InlineData(2, "FILE --format vax")]
    [InlineData(2, "FILE --at xyz")]
    [InlineData(2, "FILE --convert kvm32")]
    [InlineData(1, "/no/such/file")]
    [InlineData(1, "/dev/zero")]
    [InlineData(1, "/")]
    [InlineData(1, "SHORT")]
    [InlineData(1, "ZERO")]
    [InlineData(1, "FILE --at 1000")]
    [InlineData(1, "FILE --diff /no/such/file")]
    [InlineData(1, "FILE --convert amd64 --output TO")]
    [InlineData(1, "FILE --output /no/such/folder/file")]
    public void MistakesGetOneLineAndACode(int code, string arguments)
    {
        Save("FILE", SmramSamples.Qemu());
        Save("SHORT", new byte[100]);
        Save("ZERO", new byte[SmramImage.Size]);
        (int exit, string output, string error) = Start([
            "smram", .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(a => a is "FILE" or "SHORT" or "ZERO" or "TO" ? Path.Combine(_folder, a) : a)]);
        Assert.Equal((code, ""), (exit, output));
        Assert.StartsWith("akvam: ", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
        Assert.DoesNotContain("a fault of Akvam", error, StringComparison.Ordinal);
    }

    private string Save(string name, ReadOnlySpan<byte> bytes)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static (int Exit, string Output, string Error) Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "akvam-cli"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(LimitMilliseconds), "the command hangs");
        return (process.ExitCode, output.Result, error.Result);
    }
}
