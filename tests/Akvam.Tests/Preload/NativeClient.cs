using System.Diagnostics;
using Akvam.Tests.Architecture;

namespace Akvam.Tests.Preload;

/// <summary>A small KVM client in C, compiled for the test and run with the preload library, as <c>./akvam exec</c> does it.</summary>
internal sealed class NativeClient : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("akvam-client-");

    /// <param name="name">A file in Clients, without its ending.</param>
    /// <param name="options">Further options for the compiler.</param>
    public NativeClient(string name, params string[] options)
    {
        string source = Path.Combine(Repository.Root, "tests/Akvam.Tests/Preload/Clients", name + ".c");
        Program = Path.Combine(_directory.FullName, name);
        (int exitCode, string output) = Execute("cc", ["-std=gnu11", "-O1", "-Wall", "-Werror", "-pthread", .. options, "-o", Program, source]);
        Assert.True(exitCode == 0, output);
    }

    /// <summary>The compiled program.</summary>
    public string Program { get; }

    private static string Library
    {
        get
        {
            // …/bin/CONFIGURATION/FRAMEWORK/: the other project has the same two names.
            var framework = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
            return Path.Combine(Repository.Root, "src/Akvam.Preload/bin", framework.Parent!.Name, framework.Name);
        }
    }

    /// <summary>Runs the client. The text is what it said on both streams.</summary>
    public (int ExitCode, string Output) Run(params (string Name, string Value)[] environment) => Execute(Program, [], [.. environment, .. Environment()]);

    /// <summary>Starts the client, with its standard output to be read.</summary>
    public Process Start()
    {
        var start = new ProcessStartInfo(Program) { RedirectStandardOutput = true };
        foreach ((string name, string value) in Environment())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs any program. One that hangs is ended and fails the test.</summary>
    public static (int ExitCode, string Output) Execute(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} does not end: {errors.Result}");
        }

        return (process.ExitCode, output.Result + errors.Result);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static (string Name, string Value)[] Environment() =>
    [
        ("LD_PRELOAD", Path.Combine(Library, "libakvam_preload.so")),
        ("AKVAM_HOSTFXR", HostFxr()),
        ("AKVAM_PRELOAD_ASSEMBLY", Path.Combine(Library, "Akvam.Preload.dll")),
        ("DOTNET_EnableDiagnostics", "0"),
    ];

    /// <summary>The host library of the runtime that runs the tests: DOTNET/shared/NAME/VERSION/ and DOTNET/host/fxr/VERSION/.</summary>
    private static string HostFxr()
    {
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string hosts = Path.Combine(runtime, "../../../host/fxr");
        string version = Directory.GetDirectories(hosts).MaxBy(path => Version.Parse(Path.GetFileName(path).Split('-')[0]))!;
        return Path.Combine(Path.GetFullPath(version), "libhostfxr.so");
    }
}
