using Akvam.Abi;

namespace Akvam;

/// <content>What the VM has done, counted. [KVM 4.133]</content>
public sealed partial class Vm
{
    private const int RemoteTlbFlush = 0, VcpuCount = 1;

    private readonly Statistics _statistics = new(
        $"kvm-{Environment.ProcessId}", [new("remote_tlb_flush"), new("vcpus", KvmTuning.KVM_STATS_TYPE_INSTANT)]);

    /// <summary>Bytes of the file that KVM_GET_STATS_FD gives.</summary>
    public int StatsSize => _statistics.Size;

    /// <summary>The counters now.</summary>
    public IReadOnlyList<Statistic> GetStats() => _statistics.Read();

    /// <summary>KVM_GET_STATS_FD: from now on the counters are kept in the client's memory, in the file's format. [KVM 4.133]</summary>
    /// <param name="mapping">Address of <see cref="StatsSize"/> zeroed bytes that stay until the VM is disposed of.</param>
    public void MoveStats(nint mapping)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            _statistics.MoveTo(mapping);
        }
    }

    /// <summary>Memory changed, or a log was read: the processors had to forget what they knew. Called with the gate held.</summary>
    private void CountFlushes() => _statistics.Set(RemoteTlbFlush, Memory.Flushes);
}
