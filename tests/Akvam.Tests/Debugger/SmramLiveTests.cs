using System.Diagnostics;
using System.Net.Sockets;
using Akvam.Debugger.Smram;

namespace Akvam.Tests.Debugger;

/// <summary>The images of a machine that runs.</summary>
public sealed class SmramLiveTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-tests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheImageOfARunningProcessorIsFetchedAgainAndAgain()
    {
        string path = Path.Combine(_folder, "socket");
        using var kvm = Kvm.Open();
        using Vm vm = kvm.CreateVm();
        vm.AddMemory(0, 0x10_0000);
        vm.MapMemory(1 << 16, 0, vm.AllocateMemory(0x10_0000));
        using Vcpu vcpu = vm.CreateVcpu();
        vcpu.SetCpuid2(kvm.GetSupportedCpuid());

        // The handler: jmp $, so that the processor stays in SMM.
        vm.WriteMemory(0x3_8000, [0xEB, 0xFE], space: 1);
        vcpu.Smi();
        using var server = new SmramServer(path, () => [vcpu]);
        Assert.True(OperatingSystem.IsLinux() && File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        bool stop = false;
        var runner = new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                vcpu.Run();
            }
        });
        runner.Start();
        try
        {
            SmmView view = default;
            byte[] bytes = [];
            var patience = Stopwatch.StartNew();
            do
            {
                bytes = SmramClient.Fetch(path, 0, out view);
            }
            while (!view.InSmm && patience.Elapsed < TimeSpan.FromMinutes(1));
            Assert.Equal(new SmmView(true, 0x3_0000, 1, true), view);
            Assert.Equal(0xFFF0ul, new SmramImage(bytes, SmramDetector.Detect(bytes))["RIP"]);
            (int exit, string output, string error) = Start("smram", "--live", path);
            Assert.Equal((0, ""), (exit, error));
            Assert.StartsWith("processor 0: SMBASE 30000h, 1 SMIs, in its SMI handler\nformat amd64, real mode, CPL 0\n", output, StringComparison.Ordinal);
            Assert.Equal($"akvam: {path}: there is no processor 7; there are 1\n", Start("smram", "--live", path, "--cpu", "7").Error);
            Assert.Contains("no request", Assert.Throws<SmramException>(() => Ask(path, "quit\n")).Message, StringComparison.Ordinal);
            Assert.Throws<SmramException>(() => new SmramServer(path, () => []));
        }
        finally
        {
            Volatile.Write(ref stop, true);
            vcpu.Kick();
            runner.Join();
        }
    }

    [Fact]
    public void AMachineOfTheCommandLineAnswers()
    {
        string guest = Path.Combine(_folder, "guest.bin"), path = Path.Combine(_folder, "socket");
        File.WriteAllBytes(guest, [0xEB, 0xFE, .. new byte[30]]);
        using Process machine = Process.Start(new ProcessStartInfo(Program, ["run", guest, "--inspect", path]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            var patience = Stopwatch.StartNew();
            while (!File.Exists(path) && patience.Elapsed < TimeSpan.FromMinutes(1))
            {
                Thread.Sleep(20);
            }

            (int exit, string output, string error) = Start("smram", "--live", path);
            Assert.Equal((1, "processor 0: SMBASE 30000h, 0 SMIs, outside SMM; what the last SMI saved, unless it was overwritten\n"), (exit, output));
            Assert.Equal($"akvam: {path}: processor 0 has had no SMI\n", error);
        }
        finally
        {
            machine.Kill();
            machine.WaitForExit();
        }

        (int code, _, string message) = Start("smram", "--live", path);
        Assert.Equal(1, code);
        Assert.StartsWith($"akvam: {path}: no machine answers: ", message, StringComparison.Ordinal);
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "akvam-cli");

    private static void Ask(string path, string request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        socket.Send(System.Text.Encoding.ASCII.GetBytes(request));
        byte[] answer = new byte[100];
        throw new SmramException(System.Text.Encoding.ASCII.GetString(answer, 0, socket.Receive(answer)));
    }

    private static (int Exit, string Output, string Error) Start(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(60_000), "the command hangs");
        return (process.ExitCode, output.Result, error.Result);
    }
}
