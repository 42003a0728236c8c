namespace Akvam.Machine.Devices;

/// <summary>
/// Held while a device works, for less than a microsecond unless it writes to a slow output. Cheaper to take and to leave than a lock that can be waited for,
/// since every access of a guest to a port takes it. Not reentrant.
/// </summary>
public sealed class DeviceLock
{
    private int _held;

    /// <summary>Takes it if nobody has it.</summary>
    public bool TryEnter() => Interlocked.CompareExchange(ref _held, 1, 0) == 0;

    /// <summary>Takes it, when whoever has it has left.</summary>
    public Scope Enter()
    {
        var wait = default(SpinWait);
        while (!TryEnter())
        {
            wait.SpinOnce();
        }

        return new Scope(this);
    }

    public void Exit() => Volatile.Write(ref _held, 0);

    /// <summary>Leaves the lock at the end of a using statement.</summary>
    public readonly ref struct Scope
    {
        private readonly DeviceLock _lock;

        internal Scope(DeviceLock held)
        {
            _lock = held;
        }

        public void Dispose() => _lock.Exit();
    }
}
