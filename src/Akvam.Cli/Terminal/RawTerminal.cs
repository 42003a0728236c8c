namespace Akvam.Cli.Terminal;

/// <summary>Standard input in raw mode as long as this lives. Restored once, on whatever way out comes first.</summary>
internal sealed class RawTerminal : IDisposable
{
    private const int StandardInput = 0;

    private readonly Lock _lock = new();
    private readonly Libc.Attributes _saved;
    private bool _raw;

    private RawTerminal(Libc.Attributes saved) => _saved = saved;

    /// <summary>Whether standard input is a terminal.</summary>
    public static bool IsTerminal => Libc.IsTerminal(StandardInput);

    /// <summary>Whether the terminal belongs to other processes now, as for a job in the background.</summary>
    public static bool IsInUseByOthers => IsTerminal && !Libc.IsForeground(StandardInput);

    /// <summary>Switches to raw mode; null if standard input is no terminal, or not ours.</summary>
    public static RawTerminal? TryEnter()
    {
        if (!IsTerminal || IsInUseByOthers || !Libc.TryGet(StandardInput, out Libc.Attributes saved))
        {
            return null;
        }

        var terminal = new RawTerminal(saved);
        // For the ways out that pass no finally block: exit() from elsewhere and exceptions nobody catches.
        AppDomain.CurrentDomain.ProcessExit += terminal.OnProcessExit;
        AppDomain.CurrentDomain.UnhandledException += terminal.OnUnhandledException;
        terminal.Enter();
        return terminal;
    }

    /// <summary>Sets raw mode again, after a stop during which the shell had the terminal.</summary>
    public void Enter()
    {
        lock (_lock)
        {
            _raw = Libc.TrySet(StandardInput, Libc.Raw(_saved));
        }
    }

    /// <summary>Gives the terminal back as it was.</summary>
    public void Restore()
    {
        lock (_lock)
        {
            if (_raw)
            {
                Libc.TrySet(StandardInput, _saved);
                _raw = false;
            }
        }
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
        AppDomain.CurrentDomain.UnhandledException -= OnUnhandledException;
        Restore();
    }

    private void OnProcessExit(object? sender, EventArgs e) => Restore();

    private void OnUnhandledException(object sender, UnhandledExceptionEventArgs e) => Restore();
}
