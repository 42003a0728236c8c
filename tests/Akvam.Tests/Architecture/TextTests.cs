using Akvam.Abi;

namespace Akvam.Tests.Architecture;

/// <summary>No trace of a machine, and the kernel's words for the kernel's things.</summary>
public sealed class TextTests
{
    [Fact]
    public void No_file_names_a_machine()
    {
        IReadOnlyList<SourceFile> files = Repository.TextFiles();

        Assert.Contains(files, file => file.Path == "Directory.Build.props");
        Violations.None(files.Where(file => !file.Path.EndsWith($"/{nameof(TextTests)}.cs", StringComparison.Ordinal)).SelectMany(TextRules.MachineTraces));
    }

    [Fact]
    public void Abi_constants_keep_their_native_spelling()
    {
        Violations.None(typeof(KvmApi).Assembly.GetExportedTypes().Where(type => type.IsEnum || type is { IsAbstract: true, IsSealed: true }).SelectMany(TextRules.NotNative));
        Violations.None(Repository.Sources()
            .Where(file => !file.Path.EndsWith($"/{nameof(TextTests)}.cs", StringComparison.Ordinal))
            .SelectMany(file => TextRules.ForeignSpelling(file, TextRules.NativeNames(typeof(KvmApi).Assembly))));
    }

    [Theory]
    [InlineData("see /home/someone/akvam/x.txt", "/home/someone/akvam/x.txt")]
    [InlineData("\"/root/src\"", "/root/src")]
    [InlineData("<add value=\"https://api.nuget.org/v3/index.json\" />", "https://api.nuget.org/v3/index.json")]
    [InlineData("http://192.168.1.7:8080", "192.168.1.7:8080")]
    public void A_trace_of_a_machine_is_found(string text, string trace) =>
        Assert.Equal($"a.txt:1: {trace}", Assert.Single(TextRules.MachineTraces(new("a.txt", text))));

    [Theory]
    [InlineData("the root/ folder, src/work/x, /dev/kvm, /proc/self/maps")]
    [InlineData("\"$HOME/home/x\" https://www.kernel.org/doc")]
    public void Ordinary_text_passes(string text) => Assert.Empty(TextRules.MachineTraces(new("a.txt", text)));

    [Theory]
    [InlineData("const uint KvmExitMmio = 6;", 1)]
    [InlineData("const uint kvm_exit_mmio = 6;", 1)]
    [InlineData("if (reason == KvmExit.KVM_EXIT_MMIO)", 0)]
    [InlineData("// KvmExitMmio", 0)]
    public void Another_spelling_is_found(string text, int findings) =>
        Assert.Equal(findings, TextRules.ForeignSpelling(new("a.cs", text), TextRules.NativeNames(typeof(KvmApi).Assembly)).Count());

    [Fact]
    public void An_abi_constant_in_another_case_is_found() => Assert.Equal(["Renamed.KvmExitIo"], TextRules.NotNative(typeof(Renamed)));

    private static class Renamed
    {
        public const uint KVM_EXIT_HLT = 5;
        public const uint KvmExitIo = 2;
    }
}
