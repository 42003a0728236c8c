using Akvam.Cpu.Memory;

namespace Akvam;

/// <summary>Finds the ring that a dirty page belongs to: that of the vCPU that the thread runs. A device's write belongs to none; the first one takes it.</summary>
internal sealed class DirtyRings(Vm vm) : IDirtySink
{
    public void PageDirtied(MemorySlot slot, ulong page)
    {
        ReadOnlySpan<Vcpu> vcpus = vm.Vcpus;
        if (vcpus.IsEmpty)
        {
            return;
        }

        Vcpu owner = vcpus[0];
        foreach (Vcpu vcpu in vcpus)
        {
            owner = vcpu.IsRunningHere ? vcpu : owner;
        }

        owner.NoteDirty((uint)(slot.Space << 16 | slot.Id), page);
    }
}
