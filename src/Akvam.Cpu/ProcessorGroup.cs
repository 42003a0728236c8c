using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <summary>What the processors of one virtual machine share: memory, and the way to make all of them stand still.</summary>
/// <remarks>Valid because processors register themselves before their first run and leave before their state is freed.</remarks>
public sealed unsafe class ProcessorGroup : IDisposable
{
    private readonly object _gate = new();
    private readonly List<Processor> _processors = [];
    private Processor[] _snapshot = [];
    private bool _exclusive;

    public ProcessorGroup() => Memory = new PhysicalMemory(this);

    public PhysicalMemory Memory { get; }

    /// <summary>Host code for the instructions that the host computes.</summary>
    internal Native.HostStubs Stubs { get; } = new();

    /// <summary>Held while an operand that crosses a page is read, modified and written, which the host cannot make atomic for us.</summary>
    internal object SplitLock { get; } = new();

    public ReadOnlySpan<Processor> Processors => Volatile.Read(ref _snapshot);

    internal void Add(Processor processor)
    {
        lock (_gate)
        {
            _processors.Add(processor);
            Volatile.Write(ref _snapshot, [.. _processors]);
        }
    }

    internal void Remove(Processor processor)
    {
        lock (_gate)
        {
            _processors.Remove(processor);
            Volatile.Write(ref _snapshot, [.. _processors]);
        }
    }

    /// <summary>
    /// Runs <paramref name="action"/> while no processor of the group executes guest code. A processor's own thread may call it between instructions
    /// (it passes itself as <paramref name="self"/>), and then counts as standing still while it waits for its turn.
    /// </summary>
    public void Exclusive(Action action, Processor? self = null)
    {
        lock (_gate)
        {
            if (self != null)
            {
                self.InGuest = false;
                Monitor.PulseAll(_gate);
            }

            while (_exclusive)
            {
                Monitor.Wait(_gate);
            }

            Volatile.Write(ref _exclusive, true);
            Interlocked.MemoryBarrier();
            foreach (Processor p in _processors)
            {
                if (p != self)
                {
                    Processor.Post(p.State, Request.Park);
                }
            }

            while (_processors.Exists(p => p.InGuest))
            {
                Monitor.Wait(_gate);
            }

            try
            {
                action();
            }
            finally
            {
                _exclusive = false;
                if (self != null)
                {
                    self.InGuest = true;
                }

                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>A processor is about to execute guest code; waits while somebody needs the group to stand still.</summary>
    /// <remarks>
    /// No lock on this way, which every exit takes: the processor says that it is in the guest before it looks whether somebody wants it out, and
    /// <see cref="Exclusive"/> says that it wants it out before it looks who is in. One of them sees the other.
    /// </remarks>
    internal void Enter(Processor processor)
    {
        processor.InGuest = true;
        if (Volatile.Read(ref _exclusive))
        {
            EnterLater(processor);
        }
    }

    /// <summary>A processor stopped executing guest code.</summary>
    internal void Leave(Processor processor)
    {
        processor.InGuest = false;
        if (Volatile.Read(ref _exclusive))
        {
            lock (_gate)
            {
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void EnterLater(Processor processor)
    {
        lock (_gate)
        {
            processor.InGuest = false;
            Monitor.PulseAll(_gate);
            while (_exclusive)
            {
                Monitor.Wait(_gate);
            }

            processor.InGuest = true;
        }
    }

    public void Dispose() => Memory.Dispose();
}
