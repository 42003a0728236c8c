using System.CommandLine;
using System.CommandLine.Parsing;
using Akvam.Cli.Bench;
using Akvam.Machine;
using Spectre.Console;

namespace Akvam.Cli.Commands;

/// <summary><c>akvam bench</c>.</summary>
internal static class BenchCommand
{
    private const int MaximumRounds = 1000, MaximumScale = 100_000;
    private const int NormalRounds = 3, NormalScale = 100;

    public static Command Create()
    {
        Option<string[]> engines = List("--engines", "NAMES", "Engines to compare", BenchEngine.Names);
        Option<string[]> guests = List("--guests", "NAMES", "Guests to run", [.. BenchGuests.All, .. LinuxRun.Guests]);
        Option<int> rounds = MachineOptions.Number("--rounds", "N", "How often each engine runs each guest, in turn.", NormalRounds, 1, MaximumRounds);
        Option<int> scale = MachineOptions.Number("--scale", "S", "Thousandths of each guest's full number of operations.", NormalScale, 1, MaximumScale);
        Option<string?> json = MachineOptions.File("--json", "Write all samples to a file.");
        var command = new Command("bench", "Compare the speed of this machine's processor, Akvam and QEMU's TCG on the guests of bench/guests, in CPU time.")
        {
            engines,
            guests,
            rounds,
            scale,
            json,
        };
        command.SetAction(parsed => Bench(
            parsed.GetValue(engines)!, parsed.GetValue(guests)!, parsed.GetValue(rounds), parsed.GetValue(scale), parsed.GetValue(json)));
        return command;
    }

    private static int Bench(string[] engineNames, string[] guestNames, int rounds, int scale, string? jsonPath)
    {
        var report = new BenchReport();
        BenchEngine[] engines = [.. engineNames.Select(BenchEngine.Create)];
        foreach (BenchEngine engine in engines.Where(e => e.Missing is not null))
        {
            report.Note($"no {engine.Name}: {engine.Missing}");
        }

        engines = [.. engines.Where(e => e.Missing is null)];
        if (engines.Length == 0)
        {
            throw new MachineException($"none of the engines can run here: {string.Join("; ", report.Notes)}");
        }

        // Opened first: after minutes of measuring is late for a bad name.
        using FileStream? json = jsonPath is null ? null : File.Create(jsonPath);
        ShowProgress(say => Measure(report, engines, guestNames, rounds, scale, say));
        string[] names = [.. engines.Select(e => e.Name)];
        BenchTable.Write(report, names, Console.Out, terminal: !Console.IsOutputRedirected);
        if (json is not null)
        {
            BenchJson.Write(json, report, names, scale);
        }

        return report.Failures.Count == 0 ? ExitCode.Success : ExitCode.Error;
    }

    private static void Measure(BenchReport report, BenchEngine[] engines, string[] guestNames, int rounds, int scale, Action<string> say)
    {
        say("building the guests");
        BenchGuests guests = BenchGuests.Build();
        foreach (string guest in guestNames)
        {
            if (LinuxRun.Guests.Contains(guest))
            {
                BootLinux(report, engines, guests, guest, rounds, say);
                continue;
            }

            for (int round = 1; round <= rounds; round++)
            {
                foreach (BenchEngine engine in engines)
                {
                    if (engine.Command(guests, guest, scale) is { } command)
                    {
                        say($"{guest}, round {round} of {rounds}: {engine.Name}");
                        report.Add(engine.Name, guest, round, EngineRun.Run(command, out string? failure), failure);
                    }
                }
            }
        }
    }

    private static void BootLinux(BenchReport report, BenchEngine[] engines, BenchGuests guests, string guest, int rounds, Action<string> say)
    {
        LinuxRun linux;
        try
        {
            linux = LinuxRun.Prepare(guest, guests.Folder);
        }
        catch (MachineException e)
        {
            report.Note($"no boot of {guest}: {e.Message}");
            return;
        }

        for (int round = 1; round <= rounds; round++)
        {
            foreach (BenchEngine engine in engines)
            {
                if (engine.Boot(guests, linux) is not { } command)
                {
                    continue;
                }

                say($"{guest}, round {round} of {rounds}: {engine.Name}");
                TimeSpan time = LinuxRun.Run(command, out long memory, out string? failure);
                if (failure is not null)
                {
                    report.Fail($"{engine.Name}: {guest}: {failure}");
                    continue;
                }

                report.AddSample(engine.Name, LinuxRun.BootPhase(guest), round, time.TotalNanoseconds);
                report.AddSample(engine.Name, LinuxRun.MemoryPhase(guest), round, memory);
            }
        }
    }

    private static void ShowProgress(Action<Action<string>> work)
    {
        if (Console.IsErrorRedirected)
        {
            work(static _ => { });
            return;
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        console.Status().Start("starting", context => work(text => context.Status(Markup.Escape(text))));
    }

    private static Option<string[]> List(string name, string unit, string description, IReadOnlyList<string> known) => new(name)
    {
        Description = $"{description}, separated by commas: {string.Join(", ", known)}.",
        HelpName = unit,
        DefaultValueFactory = _ => [.. known],
        CustomParser = result => Parse(result, name, known),
    };

    private static string[] Parse(ArgumentResult result, string option, IReadOnlyList<string> known)
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
        string[] names = [.. text.Split(',', StringSplitOptions.TrimEntries).Distinct()];
        if (names.FirstOrDefault(n => !known.Contains(n)) is { } stranger)
        {
            result.AddError($"{option} takes names out of {string.Join(", ", known)}, not '{stranger}'");
        }

        return names;
    }
}
