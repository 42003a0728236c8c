using System.CommandLine;
using System.Globalization;
using Akvam.Cli.Checking;
using Akvam.Cli.Packages;
using Akvam.Debugger.Lockstep;
using Akvam.Machine;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Loading;
using Akvam.Machine.Packages;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam check</c>.</summary>
internal static class CheckCommand
{
    private const int DefaultMegabytes = 256, SeedBytes = 64;
    private const string OwnMarker = "AKVAM-GUEST-UP";

    public static Command Create()
    {
        var image = new Argument<string?>("IMAGE") { Description = "A guest image, as 'run' takes it. Without it Linux is booted, as by 'boot'.", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> kernel = MachineOptions.File("--kernel", "A Linux kernel, bzImage or vmlinux.");
        Option<string?> initrd = MachineOptions.File("--initrd", "An initramfs. Without it, Linux runs up to the shell of ours.");
        var append = new Option<string>("--append") { Description = "The guest's command line, or more of the kernel's.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Option<int> memory = MachineOptions.Memory(DefaultMegabytes), cpus = MachineOptions.Cpus();
        var until = new Option<string?>("--until") { Description = "End when this text is in the serial output.", HelpName = "TEXT" };
        Option<int> most = MachineOptions.Number("--instructions", "M", "End after so many million instructions; 0: never.", 0, 0, int.MaxValue);
        Option<int> every = MachineOptions.Number("--every", "N", "Stop the translator after each so many instructions; 0: about once a millisecond, wherever it is.", 0, 0, int.MaxValue);
        var command = new Command("check", "Run a guest on the interpreter and on the translator at once, and stop at the first difference. The exit code is 1 when there is one.")
        {
            image,
            kernel,
            initrd,
            append,
            memory,
            cpus,
            until,
            most,
            every,
        };
        command.SetAction(parsed =>
        {
            Guest guest = parsed.GetValue(image) is { } path
                ? Image(path, parsed.GetValue(append) ?? "")
                : Linux(parsed.GetValue(kernel), parsed.GetValue(initrd), parsed.GetValue(append) ?? "");
            var options = new LockstepOptions
            {
                MaximumInstructions = parsed.GetValue(most) is > 0 and int millions ? (ulong)millions * 1_000_000 : ulong.MaxValue,
                Every = (ulong)parsed.GetValue(every),
            };
            return Check(guest with { Marker = parsed.GetValue(until) ?? guest.Marker }, parsed.GetValue(memory), parsed.GetValue(cpus), options);
        });
        return command;
    }

    private static Guest Image(string path, string arguments)
    {
        GuestImage image = GuestImage.Open(path);
        return new Guest(pc => pc.Load(image, arguments), null);
    }

    private static Guest Linux(string? kernelPath, string? initrdPath, string append)
    {
        GuestImage? kernel = kernelPath is null ? null : GuestImage.Open(kernelPath);
        byte[]? initrd = initrdPath is null ? null : GuestImage.ReadFile(initrdPath);
        bool ownInit = initrd is null;
        if (kernel is null || initrd is null)
        {
            GuestFiles files = GuestDownloads.Get(needKernel: kernel is null);
            kernel ??= GuestImage.Open(files.Kernel);
            initrd ??= InitramfsBuilder.Build(GuestImage.ReadFile(files.Busybox));
        }

        string line = $"console=ttyS0 panic=-1 cryptomgr.notests {append}".TrimEnd();
        return new Guest(pc => pc.LoadLinux(kernel, new LinuxBoot(line, initrd, Seed: new byte[SeedBytes])), ownInit ? OwnMarker : null);
    }

    private static int Check(Guest guest, int memory, int cpus, LockstepOptions options)
    {
        if (!VmOptions.EngineNames.Contains("translator"))
        {
            throw new MachineException("there is nothing to check: this host is not x86-64, so it has the interpreter only");
        }

        using Stream output = Console.OpenStandardOutput();
        bool first = true;
        var checker = new LockstepChecker(Make, options);
        LockstepResult result = checker.Run();
        output.Flush();
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\nakvam: {(result.Differences.Count == 0 ? "no difference" : "DIFFERENCE")} in {result.Instructions:N0} instructions: {result.Stops:N0} stops, all memory compared {result.MemoryComparisons:N0} times; {result.End}"));
        if (result.Report is { } report)
        {
            Console.Error.WriteLine(report);
        }

        return result.Differences.Count == 0 ? ExitCode.Success : ExitCode.Error;

        ICheckedMachine Make(CheckedEngine engine)
        {
            // The console is shown once, not again while a difference is looked for.
            bool shown = first && engine == CheckedEngine.Subject;
            first &= !shown;
            return new CheckedPc(engine, memory, cpus, guest.Marker, shown ? output.WriteByte : null, guest.Load);
        }
    }

    private sealed record Guest(Action<Pc> Load, string? Marker);
}
