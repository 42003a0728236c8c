using System.CommandLine;
using System.Runtime.CompilerServices;
using Akvam.Cli.Packages;
using Akvam.Cli.Terminal;
using Akvam.Machine.Initramfs;
using Akvam.Machine.Loading;
using Akvam.Machine.Packages;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam boot</c>.</summary>
internal static class BootCommand
{
    private const int DefaultMegabytes = 512;
    private const int SeedBytes = 64;

    public static Command Create()
    {
        Option<string?> kernel = MachineOptions.File("--kernel", "A Linux kernel, bzImage or vmlinux. Without it, Debian's is downloaded once.");
        Option<string?> initrd = MachineOptions.File("--initrd", "An initramfs. Without it, one is made of busybox.");
        var append = new Option<string>("--append") { Description = "More of the kernel's command line.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var machine = new MachineChoice.Options(DefaultMegabytes);
        var command = new Command("boot", "Boot Linux to a shell on this terminal. Ctrl-A x leaves, Ctrl-A h helps; input from a pipe goes to the guest's shell.")
        {
            kernel,
            initrd,
            append,
        };
        machine.AddTo(command);
        command.SetAction(parsed => Boot(parsed.GetValue(kernel), parsed.GetValue(initrd), parsed.GetValue(append) ?? "", machine.Read(parsed)));
        return command;
    }

    private static int Boot(string? kernelPath, string? initrdPath, string append, MachineChoice machine)
    {
        using GuestSession session = Load(kernelPath, initrdPath, append, machine);
        return session.Run();
    }

    /// <summary>Makes the machine and loads it. A method of its own, so that nothing holds what was read once the machine runs.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static GuestSession Load(string? kernelPath, string? initrdPath, string append, MachineChoice machine)
    {
        // What the user gave is looked at before anything is downloaded.
        GuestImage? kernel = kernelPath is null ? null : GuestImage.Open(kernelPath);
        byte[]? initrd = initrdPath is null ? null : GuestImage.ReadFile(initrdPath);
        bool ownInit = initrd is null;
        if (kernel is null || initrd is null)
        {
            GuestFiles files = GuestDownloads.Get(needKernel: kernel is null);
            kernel ??= GuestImage.Open(files.Kernel);
            initrd ??= InitramfsBuilder.Build(GuestImage.ReadFile(files.Busybox));
        }

        var session = new GuestSession(machine, ownInit);
        try
        {
            session.Pc.LoadLinux(kernel, new LinuxBoot(CommandLineFor(append, ownInit), initrd, Seed: SystemRandomSource.GetBytes(SeedBytes)));
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static string CommandLineFor(string append, bool ownInit)
    {
        // The self-tests of the crypto code: 2.8 of 6.3 s of processor time to the end of a boot, measured.
        string line = "console=ttyS0 panic=-1 cryptomgr.notests";
        if (ownInit && !RawTerminal.IsTerminal)
        {
            line += " quiet akvam.batch";
        }
        else if (ownInit && Environment.GetEnvironmentVariable("TERM") is { Length: > 0 and < 32 } term && term.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '+' or '.'))
        {
            line += $" TERM={term}";
        }

        return append.Length > 0 ? $"{line} {append}" : line;
    }
}
