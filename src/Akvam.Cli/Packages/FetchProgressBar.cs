using System.Runtime.InteropServices;
using Akvam.Machine.Packages;
using Spectre.Console;

namespace Akvam.Cli.Packages;

/// <summary>Shows how getting the guest's packages goes on, as a bar on a terminal and as plain lines elsewhere.</summary>
internal static class FetchProgressBar
{
    /// <summary>Runs <paramref name="fetch"/> with a progress to report to, on standard error.</summary>
    public static T Show<T>(Func<IFetchProgress, T> fetch)
    {
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        if (Console.IsErrorRedirected)
        {
            return fetch(new Lines());
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new SpinnerColumn())
            .Start(context => fetch(new Bar(context)));
    }

    private static void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        // The bar hides the cursor while it moves.
        Console.Error.WriteLine($"{(Console.IsErrorRedirected ? "" : "\e[?25h\n")}akvam: ended by {context.Signal}; what is in the cache already is used the next time");
        Environment.Exit(ExitCode.SignalBase + (context.Signal == PosixSignal.SIGINT ? 2 : 15));
    }

    private sealed class Bar(ProgressContext context) : IFetchProgress
    {
        private ProgressTask? _task;

        public void Step(string what)
        {
            Finish();
            _task = context.AddTask(Markup.Escape(what), maxValue: 100);
        }

        public void Percent(double done)
        {
            if (_task is { } task)
            {
                task.Value = done;
            }
        }

        private void Finish()
        {
            if (_task is { } task)
            {
                task.Value = task.MaxValue;
                task.StopTask();
            }
        }
    }

    private sealed class Lines : IFetchProgress
    {
        public void Step(string what) => Console.Error.WriteLine($"akvam: {what}");

        public void Percent(double done)
        {
        }
    }
}
