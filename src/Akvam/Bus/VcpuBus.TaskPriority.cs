using System.Runtime.InteropServices;
using Akvam.Devices;

namespace Akvam;

/// <content>
/// Help for guests that change the task priority all the time, as 32-bit Windows before Vista: the client hears of each access (KVM_TPR_ACCESS_REPORTING), patches the
/// guest's instruction, and the guest goes on with a copy in its memory (KVM_SET_VAPIC_ADDR).
/// </content>
internal sealed unsafe partial class VcpuBus
{
    private ulong _priorityCopy;

    /// <summary>The client hears of accesses to the task priority register.</summary>
    public bool ReportsTaskPriority { get; set; }

    /// <summary>The client has heard of this one.</summary>
    public bool LetsTaskPriorityThrough { get; set; }

    public bool StopsAt(ulong address, bool write)
    {
        if (!ReportsTaskPriority || LetsTaskPriorityThrough || Lapic is not { } lapic || !lapic.Contains(address) || (address & 0xFF0) != LapicRegister.Tpr)
        {
            return false;
        }

        _vcpu.ReachedTaskPriority(write);
        return true;
    }

    /// <summary>The guest's copy of its task priority is at this address from now on; 0: nowhere. False if there is no memory.</summary>
    public bool TrySetPriorityCopy(ulong address)
    {
        uint copy = 0;
        if (address != 0 && !_vm.Memory.Read(0, address, MemoryMarshal.AsBytes(new Span<uint>(ref copy))))
        {
            return false;
        }

        _priorityCopy = address;
        ShowPriority();
        return true;
    }

    /// <summary>What the guest wrote in its copy counts before anybody looks at the APIC.</summary>
    private void TakePriority(Lapic lapic)
    {
        byte priority = 0;
        if (_priorityCopy != 0 && _vm.Memory.Read(0, _priorityCopy, new Span<byte>(ref priority)) && priority != lapic.TaskPriority)
        {
            lapic.TaskPriority = priority;
        }
    }

    /// <summary>Byte 0 of the copy is the task priority, byte 1 the class in service, byte 3 the highest request: with them the guest decides whether it must call.</summary>
    public void ShowPriority()
    {
        if (_priorityCopy != 0 && Lapic is { } lapic)
        {
            uint copy = lapic.TaskPriority | (uint)(lapic.HighestInService & 0xF0) << 8 | (uint)lapic.HighestRequest << 24;
            _vm.Memory.Write(0, _priorityCopy, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in copy)));
        }
    }
}
