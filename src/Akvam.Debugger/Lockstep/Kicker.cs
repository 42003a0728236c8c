namespace Akvam.Debugger.Lockstep;

/// <summary>Ends runs from another thread, about once a millisecond: where they end is up to chance, and the reference follows.</summary>
internal sealed class Kicker : IDisposable
{
    private readonly Thread _thread;
    private volatile Vcpu? _vcpu;
    private volatile bool _stopping, _hasty;

    public Kicker()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "lockstep kicks" };
        _thread.Start();
    }

    /// <summary>The vCPU to kick, or null: none runs.</summary>
    public Vcpu? Target
    {
        get => _vcpu;
        set => _vcpu = value;
    }

    /// <summary>Kick as fast as possible.</summary>
    public bool IsHasty
    {
        get => _hasty;
        set => _hasty = value;
    }

    public void Dispose()
    {
        _stopping = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_stopping)
        {
            if (_hasty)
            {
                Thread.SpinWait(200);
            }
            else
            {
                Thread.Sleep(1);
            }

            _vcpu?.Kick();
        }
    }
}
