using Akvam.Abi;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>KVM_SET_DEVICE_ATTR and its kin on a vCPU: the offset of its TSC. [KVM vcpu.rst 4.1]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>KVM_HAS_DEVICE_ATTR.</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) => group == KvmState.KVM_VCPU_TSC_CTRL && attribute == KvmState.KVM_VCPU_TSC_OFFSET;

    /// <summary>
    /// KVM_GET_DEVICE_ATTR; KVM_VCPU_TSC_OFFSET: what the guest's TSC is ahead of the host's, in its ticks. The host's is what KVM_GET_CLOCK gives with it
    /// (<see cref="kvm_clock_data.host_tsc"/>), so that a client can carry a TSC over to another VM as [KVM vcpu.rst 4.1] says.
    /// </summary>
    /// <exception cref="KvmException">ENXIO: no such attribute.</exception>
    public ulong GetDeviceAttr(uint group, ulong attribute)
    {
        lock (_gate)
        {
            State();
            CheckAttribute(group, attribute);
            return TscOffset - _bus.OriginTsc;
        }
    }

    /// <summary>KVM_SET_DEVICE_ATTR.</summary>
    /// <exception cref="KvmException">ENXIO: no such attribute.</exception>
    public void SetDeviceAttr(uint group, ulong attribute, ulong value)
    {
        lock (_gate)
        {
            CpuState* s = State();
            CheckAttribute(group, attribute);
            ulong offset = value + _bus.OriginTsc;
            s->TscOffset = offset + _processor.Nested.TscOffset;
            _vm.NoteTscOffset(offset, _bus.ReadTsc(), _bus.TscKhz);
            _bus.TscChanged();
        }
    }

    private void CheckAttribute(uint group, ulong attribute)
    {
        if (!HasDeviceAttr(group, attribute))
        {
            throw new KvmException(Errno.ENXIO, $"attribute {attribute} of group {group}");
        }
    }
}
