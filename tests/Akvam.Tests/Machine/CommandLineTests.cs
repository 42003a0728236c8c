using System.Diagnostics;

namespace Akvam.Tests.Machine;

/// <summary>The program as its users start it: exit codes, one clear line, and the terminal as it was.</summary>
public sealed class CommandLineTests : IDisposable
{
    private const int LimitMilliseconds = 60_000;

    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(2, "")]
    [InlineData(2, "run")]
    [InlineData(2, "run x --memory 0")]
    [InlineData(2, "run x --memory 1000000000")]
    [InlineData(2, "run x --memory -5")]
    [InlineData(2, "run x --memory lots")]
    [InlineData(2, "boot --cpus 0")]
    [InlineData(2, "boot --cpus 1000")]
    [InlineData(2, "boot --unknown")]
    [InlineData(2, "bench --engines fast")]
    [InlineData(2, "bench --guests int,")]
    [InlineData(2, "bench --rounds 0")]
    [InlineData(1, "bench --json /no/such/folder/file")]
    [InlineData(1, "run /no/such/file")]
    [InlineData(1, "run /")]
    [InlineData(1, "run /dev/null")]
    [InlineData(1, "boot --kernel /no/such/file")]
    [InlineData(1, "demo --trace /no/such/folder/file")]
    public void MistakesGetOneLineAndACode(int code, string arguments)
    {
        (int exit, string output, string error) = Start(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(code, exit);
        Assert.Empty(output);
        Assert.StartsWith("akvam: ", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("run --help")]
    [InlineData("boot --help")]
    [InlineData("demo --help")]
    [InlineData("bench --help")]
    public void HelpIsEverywhere(string arguments)
    {
        (int exit, string output, string error) = Start(arguments.Split(' '));
        Assert.Equal((0, ""), (exit, error));
        Assert.Contains("akvam", output, StringComparison.Ordinal);
    }

    [Fact]
    public void AGuestEchoesItsInputAndSetsTheCode()
    {
        // l: mov dx,3FDh; in al,dx; test al,1; jz l; mov dx,3F8h; in al,dx; out dx,al; cmp al,'.'; jne l; mov al,9; out F4h,al
        string guest = Guest([0xBA, 0xFD, 0x03, 0xEC, 0xA8, 0x01, 0x74, 0xFB, 0xBA, 0xF8, 0x03, 0xEC, 0xEE, 0x3C, 0x2E, 0x75, 0xEF, 0xB0, 0x09, 0xE6, 0xF4]);
        string text = string.Concat(Enumerable.Range(0, 2000).Select(i => $"{i},")) + ".";
        (int exit, string output, string error) = Start(["run", guest], text);
        Assert.Equal((19, text, ""), (exit, output, error));
    }

    [Fact]
    public void ATripleFaultEndsWithThreeAndTheState()
    {
        (int exit, _, string error) = Start(["run", Guest([0x0F, 0x01, 0x1E, 0x10, 0x00, 0xCC, 0xF4, .. new byte[25]])]);
        Assert.Equal(3, exit);
        Assert.Contains("shut down", error, StringComparison.Ordinal);
        Assert.Contains("rip 1000:", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kill -TERM $p", 143)]
    [InlineData("kill -INT $p", 130)]
    [InlineData("kill -HUP $p", 129)]
    [InlineData("kill -QUIT $p; kill -USR1 $p; sleep 0.5; kill -TERM $p", 143)]
    public void SignalsEndTheMachineAndLeaveTheTerminalAsItWas(string action, int code)
    {
        // In a terminal of its own, which "script" makes; the signal comes once the guest has said something. Whoever started the tests may ignore SIGHUP, as nohup does.
        string guest = Guest([0xFA, 0xB0, 0x21, 0xBA, 0xF8, 0x03, 0xEE, 0xEB, 0xFE]);
        string shell = Path.Combine(_folder, "session.sh");
        File.WriteAllText(shell, $"""
            cd {_folder}
            before=$(stty -g)
            (while [ ! -s out ]; do sleep 0.1; done; stty -g > during; p=$(cat pid); {action}) < /dev/tty &
            sh -c 'echo $$ > pid; exec env --default-signal "$0" run "$1" > out' {Program} {guest}
            code=$?
            [ "$before" = "$(cat during)" ] && echo not-raw > result && exit
            [ "$before" = "$(stty -g)" ] && echo same=$code > result || echo changed=$code > result

            """);
        RunInTerminal($"sh {shell}");
        Assert.Equal($"same={code}", File.ReadAllText(Path.Combine(_folder, "result")).Trim());
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "akvam-cli");

    private string Guest(byte[] code)
    {
        string path = Path.Combine(_folder, "guest.bin");
        File.WriteAllBytes(path, code);
        return path;
    }

    private static void RunInTerminal(string command)
    {
        var start = new ProcessStartInfo("script", ["-qec", command, "/dev/null"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        _ = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(LimitMilliseconds))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail("the command hangs");
        }
    }

    private static (int Exit, string Output, string Error) Start(string[] arguments, string input = "")
    {
        var start = new ProcessStartInfo(Program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading.
        }

        Assert.True(process.WaitForExit(LimitMilliseconds), "the command hangs");
        return (process.ExitCode, output.Result, error.Result);
    }
}
