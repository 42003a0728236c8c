using Akvam.Abi;

namespace Akvam;

/// <content>Registers in the run page, which spare their ioctls. [KVM 6.74]</content>
public sealed unsafe partial class Vcpu
{
    /// <exception cref="KvmException">EINVAL: classes that do not exist, or contents that the ioctl would refuse.</exception>
    private void LoadShared(kvm_run* run)
    {
        // The client may change the page meanwhile: what is used is read once.
        ulong dirty = Volatile.Read(ref run->kvm_dirty_regs);
        if ((Volatile.Read(ref run->kvm_valid_regs) & ~KvmExit.KVM_SYNC_X86_VALID_FIELDS) != 0 || (dirty & ~KvmExit.KVM_SYNC_X86_VALID_FIELDS) != 0)
        {
            throw new KvmException(Errno.EINVAL, "classes of registers in the run page");
        }

        kvm_sync_regs regs = run->s.regs;
        if ((dirty & KvmExit.KVM_SYNC_X86_REGS) != 0)
        {
            SetRegs(in regs.regs);
            run->kvm_dirty_regs &= ~KvmExit.KVM_SYNC_X86_REGS;
        }

        if ((dirty & KvmExit.KVM_SYNC_X86_SREGS) != 0)
        {
            SetSregs(in regs.sregs);
            run->kvm_dirty_regs &= ~KvmExit.KVM_SYNC_X86_SREGS;
        }

        if ((dirty & KvmExit.KVM_SYNC_X86_EVENTS) != 0)
        {
            SetVcpuEvents(in regs.events);
            run->kvm_dirty_regs &= ~KvmExit.KVM_SYNC_X86_EVENTS;
        }
    }

    private void StoreShared(kvm_run* run)
    {
        ulong valid = run->kvm_valid_regs;
        if ((valid & KvmExit.KVM_SYNC_X86_REGS) != 0)
        {
            run->s.regs.regs = GetRegs();
        }

        if ((valid & KvmExit.KVM_SYNC_X86_SREGS) != 0)
        {
            run->s.regs.sregs = GetSregs();
        }

        if ((valid & KvmExit.KVM_SYNC_X86_EVENTS) != 0)
        {
            run->s.regs.events = GetVcpuEvents();
        }
    }
}
