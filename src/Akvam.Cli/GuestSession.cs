using System.Runtime.InteropServices;
using Akvam.Cli.Commands;
using Akvam.Cli.Terminal;
using Akvam.Debugger.Smram;
using Akvam.Machine;
using Akvam.Machine.Devices;

namespace Akvam.Cli;

/// <summary>One machine on this terminal: its console, the keys and signals that steer it, and what its end means.</summary>
internal sealed class GuestSession : IDisposable
{
    private const byte Xon = 0x11;
    private const PosixSignal UserSignal1 = (PosixSignal)10, Continue = (PosixSignal)18;

    private readonly SerialQueue _input = new();
    private readonly ConsoleOutput _output;
    private readonly ConsoleOutput _debug;
    private readonly EventTrace? _trace;
    private readonly Pc _pc;
    private readonly string? _inspect;
    private SmramServer? _inspector;
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly bool _ownInit, _stats;
    private RawTerminal? _terminal;
    private int _endedBySignal;

    /// <param name="machine">What the machine is made of.</param>
    /// <param name="ownInit">Whether our own initramfs runs, which says by XON when it wants input and takes the end of it.</param>
    public GuestSession(MachineChoice machine, bool ownInit = false)
    {
        _stats = machine.Stats;
        _inspect = machine.Inspect;
        _ownInit = ownInit;
        _input.Held = ownInit;
        _output = new ConsoleOutput(1, OnOutputFailed);
        _debug = new ConsoleOutput(2, OnOutputFailed);
        _trace = machine.Trace is null ? null : new EventTrace(machine.Trace);
        try
        {
            _pc = new Pc(new PcOptions
            {
                MemoryMegabytes = machine.Memory,
                Cpus = machine.Cpus,
                Engine = machine.Engine,
                DumpBlocks = machine.DumpBlocks,
                SerialInput = _input,
                SerialOutput = ownInit ? FilterOutput : _output.Write,
                DebugOutput = _debug.Write,
                Trace = _trace,
            });
        }
        catch
        {
            _trace?.Dispose();
            throw;
        }
    }

    /// <summary>The machine, to be loaded.</summary>
    public Pc Pc => _pc;

    /// <summary>Runs the loaded machine to its end.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        bool readable = !RawTerminal.IsInUseByOthers;
        _terminal = RawTerminal.TryEnter();
        try
        {
            HandleSignals();
            if (VmOptions.EngineNote is { } note)
            {
                Say($"akvam: {note}\n");
            }

            // Who finds the socket finds processors.
            _inspector = _inspect is null ? null : new SmramServer(_inspect, () => _pc.Processors);

            // The guest has its copy of what was loaded; without this the file's bytes would stay until memory is short.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            _pc.Start();
            if (readable)
            {
                StartInput();
            }

            return Finish(_pc.Wait());
        }
        finally
        {
            _output.Flush();
            _debug.Flush();
            _terminal?.Dispose();
            _signals.ForEach(s => s.Dispose());
        }
    }

    public void Dispose()
    {
        _inspector?.Dispose();
        _pc.Dispose();
        _output.Dispose();
        _debug.Dispose();
        _trace?.Dispose();
    }

    private void StartInput() => new ConsoleInput(_input, _pc.PollSerial)
    {
        Command = _terminal is null ? null : Obey,
        SendEndOfInput = _ownInit && _terminal is null,
    }.Start();

    private void FilterOutput(byte value)
    {
        if (value == Xon && _input.Held)
        {
            _input.Held = false;        // the port looks for input after every write, so also after this one
        }
        else
        {
            _output.Write(value);
        }
    }

    private void HandleSignals()
    {
        foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            _signals.Add(PosixSignalRegistration.Create(signal, OnEndSignal));
        }

        foreach (PosixSignal signal in (PosixSignal[])[PosixSignal.SIGQUIT, UserSignal1])
        {
            _signals.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Report();
            }));
        }

        _signals.Add(PosixSignalRegistration.Create(Continue, _ => _terminal?.Enter()));
    }

    private void OnEndSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        int number = context.Signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            _ => 15,
        };
        if (Interlocked.Exchange(ref _endedBySignal, number) != 0)
        {
            // The second one: whatever still runs has had its chance.
            _terminal?.Restore();
            Environment.Exit(ExitCode.SignalBase + number);
        }

        _pc.Control.Finish(new MachineEnd(MachineEndKind.Quit, ExitCode.SignalBase + number, context.Signal.ToString()));
    }

    private void Obey(EscapeAction action)
    {
        switch (action)
        {
            case EscapeAction.Quit:
                _pc.Control.Finish(new MachineEnd(MachineEndKind.Quit, ExitCode.Success, "Ctrl-A x"));
                break;
            case EscapeAction.Report:
                Report();
                break;
            default:
                Say(EscapeKeys.Help);
                break;
        }
    }

    private void Report() => _pc.RequestReports(text => Say($"akvam: {text}\n"));

    /// <summary>Writes to standard error, also while the terminal is raw.</summary>
    private void Say(string text)
    {
        _output.Flush();
        string shown = text.ReplaceLineEndings(_terminal is null ? "\n" : "\r\n");
        try
        {
            Console.Error.Write(shown);
        }
        catch (IOException)
        {
            // Nobody reads standard error.
        }
    }

    private void OnOutputFailed(string message) =>
        _pc.Control.Finish(new MachineEnd(MachineEndKind.Quit, ExitCode.Error, message));

    private int Finish(MachineEnd end)
    {
        _output.Flush();
        _debug.Flush();
        if (_stats)
        {
            Say($"\nakvam: {_pc.DescribeEngines()}\n");
        }

        switch (end.Kind)
        {
            case MachineEndKind.PowerOff:
                return ExitCode.Success;
            case MachineEndKind.DebugExit:
                return end.Code;
            case MachineEndKind.Quit:
                if (end.Code == ExitCode.Error)
                {
                    Say($"akvam: standard output cannot be written: {end.Detail}\n");
                }
                else if (end.Code != ExitCode.Success)
                {
                    Say($"\nakvam: ended by {end.Detail}\n");
                }
                else if (_terminal is not null)
                {
                    Say("\nakvam: left\n");
                }

                return end.Code;
            case MachineEndKind.Shutdown:
                Say($"akvam: {end.Detail}\n");
                return ExitCode.Shutdown;
            case MachineEndKind.Reset:
                Say($"akvam: the guest reset the machine ({end.Detail})\n");
                return ExitCode.Error;
            default:
                Say($"akvam: a fault of Akvam: {end.Detail}\n");
                return ExitCode.Error;
        }
    }
}
