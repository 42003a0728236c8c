using System.CommandLine;
using Akvam.Machine.Loading;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam run IMAGE</c>.</summary>
internal static class RunCommand
{
    private const int DefaultMegabytes = 256;

    public static Command Create()
    {
        var image = new Argument<string>("IMAGE")
        {
            Description = "A multiboot ELF file (32- or 64-bit), a Linux kernel, a flat real-mode binary (a boot sector goes to 0000:7C00, "
                + "anything else to 1000:0000), or a firmware image (whole 64-KiB pieces ending at 4 GiB).",
        };
        var append = new Option<string>("--append") { Description = "What follows the image's name on its command line.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var machine = new MachineChoice.Options(DefaultMegabytes);
        var command = new Command("run", "Run a guest image; its serial line is this terminal. Ctrl-A x leaves, Ctrl-A h helps.") { image, append };
        machine.AddTo(command);
        command.SetAction(parsed => Run(parsed.GetValue(image)!, parsed.GetValue(append) ?? "", machine.Read(parsed)));
        return command;
    }

    private static int Run(string path, string append, MachineChoice machine)
    {
        GuestImage image = GuestImage.Open(path);
        using var session = new GuestSession(machine);
        session.Pc.Load(image, append);
        return session.Run();
    }
}
