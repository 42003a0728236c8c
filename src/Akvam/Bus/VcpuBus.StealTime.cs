using System.Runtime.CompilerServices;
using Akvam.Abi;

namespace Akvam;

/// <content>Time that this vCPU was ready to run and did not. [KVM msr.rst MSR_KVM_STEAL_TIME]</content>
internal sealed unsafe partial class VcpuBus
{
    /// <summary>Asking the host costs some microseconds, so that is not done at every entry. The kernel's steal_time test wants to be told of a wait of 200 µs when it is over.</summary>
    private const ulong StealTimePeriodNs = 200_000;

    private ulong _stealTimeMsr, _waitedNs, _nextStealTimeNs;
    private int _waitingThread;

    /// <summary>Before the guest runs on, on the thread that runs the vCPU.</summary>
    public void NoteStealTime()
    {
        if ((_stealTimeMsr & KvmPara.KVM_MSR_ENABLED) != 0 && _vm.Clock.Source.NowNs >= _nextStealTimeNs)
        {
            UpdateStealTime();
        }
    }

    /// <summary>Adds what it waited since the last time. An odd version says that the guest's copy is being changed.</summary>
    private void UpdateStealTime()
    {
        _nextStealTimeNs = _vm.Clock.Source.NowNs + StealTimePeriodNs;
        ulong waited = _vm.StealTime.WaitedNs();
        int thread = Environment.CurrentManagedThreadId;
        ulong more = thread == _waitingThread ? waited - _waitedNs : 0;
        (_waitedNs, _waitingThread) = (waited, thread);

        ulong gpa = _stealTimeMsr & KvmPara.KVM_STEAL_VALID_BITS;
        kvm_steal_time steal = default;
        var bytes = new Span<byte>(&steal, Unsafe.SizeOf<kvm_steal_time>());
        if (!_vm.Memory.Read(0, gpa, bytes))
        {
            return;
        }

        const int version = sizeof(ulong);
        Span<byte> versionBytes = bytes.Slice(version, sizeof(uint));
        steal.version += 1 + (steal.version & 1);
        _vm.Memory.Write(0, gpa + (ulong)version, versionBytes);
        Interlocked.MemoryBarrier();
        steal.steal += more;
        steal.preempted = 0;
        _vm.Memory.Write(0, gpa, bytes);
        Interlocked.MemoryBarrier();
        steal.version++;
        _vm.Memory.Write(0, gpa + (ulong)version, versionBytes);
    }

    private bool SetStealTime(ulong value)
    {
        if ((value & KvmPara.KVM_STEAL_RESERVED_MASK) != 0 || !_vm.HasStealTime)
        {
            return false;
        }

        _stealTimeMsr = value;
        _nextStealTimeNs = 0;
        if (!HostAccess)
        {
            NoteStealTime();
        }

        return true;
    }
}
