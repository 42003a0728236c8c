using System.CommandLine;
using Akvam.Machine;
using Akvam.Machine.Demo;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        Option<string?> trace = MachineOptions.Trace();
        var command = new Command("demo", "Watch a guest of our own walk through the processor's modes and through SMM.") { trace };
        command.SetAction(parsed => Show(parsed.GetValue(trace)));
        return command;
    }

    private static int Show(string? tracePath)
    {
        using EventTrace? trace = tracePath is null ? null : new EventTrace(tracePath);
        var guest = new DemoGuest(trace);
        guest.Run();
        Console.Out.Write(DemoTable.Format(guest.Events, color: !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null));
        return guest.Failure is null ? ExitCode.Success : CommandLine.Fail($"the demo went wrong: {guest.Failure}", ExitCode.Error);
    }
}
