using Akvam.Abi;
using Akvam.Cpu.State;
using Akvam.Devices;

namespace Akvam;

/// <content>The local APIC's registers, and the TSC's frequency. [KVM 4.57] [KVM 4.55]</content>
public sealed unsafe partial class Vcpu
{
    /// <exception cref="KvmException">EINVAL: the APIC is the client's.</exception>
    public kvm_lapic_state GetLapic()
    {
        lock (_gate)
        {
            State();
            _bus.SettleMemory();
            var state = default(kvm_lapic_state);
            OwnLapic().ExportState(state.regs);
            return state;
        }
    }

    /// <exception cref="KvmException">EINVAL: the APIC is the client's, or the page carries another processor's x2APIC id.</exception>
    public void SetLapic(in kvm_lapic_state state)
    {
        lock (_gate)
        {
            State();
            _bus.SettleMemory();
            if (!OwnLapic().TryImportState(state.regs))
            {
                throw new KvmException(Errno.EINVAL, "the x2APIC id is another processor's");
            }

            _bus.ShowPriority();
            Post(Request.Interrupt);
        }
    }

    /// <summary>KVM_TPR_ACCESS_REPORTING: whether accesses to the task priority register are exits (KVM_EXIT_TPR_ACCESS).</summary>
    /// <exception cref="KvmException">EINVAL: unknown flags.</exception>
    public void SetTprAccessReporting(in kvm_tpr_access_ctl control)
    {
        lock (_gate)
        {
            State();
            if (control.flags != 0)
            {
                throw new KvmException(Errno.EINVAL, $"flags {control.flags:x}");
            }

            _bus.ReportsTaskPriority = control.enabled != 0;
        }
    }

    /// <summary>KVM_SET_VAPIC_ADDR: where a guest whose code was patched has a copy of its task priority; 0: nowhere.</summary>
    /// <exception cref="KvmException">EINVAL: the APIC is the client's, or there is no memory.</exception>
    public void SetVapicAddr(ulong address)
    {
        lock (_gate)
        {
            State();
            OwnLapic();
            if (!_bus.TrySetPriorityCopy(address))
            {
                throw new KvmException(Errno.EINVAL, $"no memory at {address:x}");
            }
        }
    }

    /// <summary>KVM_GET_TSC_KHZ.</summary>
    public uint GetTscKhz()
    {
        lock (_gate)
        {
            State();
            return _bus.TscKhz;
        }
    }

    /// <summary>KVM_SET_TSC_KHZ; 0 means the default.</summary>
    /// <exception cref="KvmException">EINVAL: above the largest frequency.</exception>
    public void SetTscKhz(uint khz)
    {
        lock (_gate)
        {
            State();
            _bus.TscKhz = _vm.CheckTscKhz(khz);
        }
    }

    /// <summary>KVM_KVMCLOCK_CTRL: the guest's watchdogs learn once that it was stopped. [KVM 4.69]</summary>
    /// <exception cref="KvmException">EINVAL: the guest does not use kvmclock.</exception>
    public void KvmclockCtrl()
    {
        lock (_gate)
        {
            State();
            if (!_bus.NoteGuestStopped())
            {
                throw new KvmException(Errno.EINVAL, "the guest does not use kvmclock");
            }
        }
    }

    private Lapic OwnLapic() => _bus.Lapic ?? throw new KvmException(Errno.EINVAL, "there is no local APIC of KVM's");
}
