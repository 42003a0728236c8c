using Akvam.Abi;

namespace Akvam;

/// <content>What this vCPU has done, counted. The names are KVM's where the kernel counts the same. [KVM 4.133]</content>
public sealed unsafe partial class Vcpu
{
    private const int Exits = 0, IoExits = 1, MmioExits = 2, SignalExits = 3, IrqWindowExits = 4, HaltExits = 5, HaltWakeups = 6, HaltWait = 7, Blocking = 8, Hypercalls = 9, IrqInjections = 10,
        Instructions = 11, PauseSleeps = 12, PauseWakeups = 13;

    private static readonly StatisticsKind[] s_kinds =
    [
        new("exits"), new("io_exits"), new("mmio_exits"), new("signal_exits"), new("irq_window_exits"), new("halt_exits"), new("halt_wakeup"),
        new("halt_wait_ns", KvmTuning.KVM_STATS_UNIT_SECONDS, -9), new("blocking", KvmTuning.KVM_STATS_TYPE_INSTANT | KvmTuning.KVM_STATS_UNIT_BOOLEAN), new("hypercalls"),
        new("irq_injections"), new("instructions"), new("pause_sleeps"), new("pause_wakeups"),
    ];

    private readonly Statistics _statistics;

    /// <summary>Bytes of the file that KVM_GET_STATS_FD gives.</summary>
    public int StatsSize => _statistics.Size;

    /// <summary>The counters now; from any thread.</summary>
    public IReadOnlyList<Statistic> GetStats() => _statistics.Read();

    /// <summary>KVM_GET_STATS_FD: from now on the counters are kept in the client's memory, in the file's format. [KVM 4.133]</summary>
    /// <param name="mapping">Address of <see cref="StatsSize"/> zeroed bytes that stay until the vCPU is disposed of.</param>
    public void MoveStats(nint mapping)
    {
        lock (_gate)
        {
            State();
            _statistics.MoveTo(mapping);
        }
    }

    internal void CountHypercall() => _statistics.Add(Hypercalls);

    internal void CountInterrupt() => _statistics.Add(IrqInjections);

    private void CountExit(uint reason, ulong retired)
    {
        _statistics.Add(Exits);
        _statistics.Set(Instructions, retired);
        int kind = reason switch
        {
            KvmExit.KVM_EXIT_IO => IoExits,
            KvmExit.KVM_EXIT_MMIO => MmioExits,
            KvmExit.KVM_EXIT_INTR => SignalExits,
            KvmExit.KVM_EXIT_IRQ_WINDOW_OPEN => IrqWindowExits,
            KvmExit.KVM_EXIT_HLT => HaltExits,
            _ => Exits,
        };
        if (kind != Exits)
        {
            _statistics.Add(kind);
        }
    }
}
