using Akvam.Abi;

namespace Akvam;

/// <content>Between eventfds and the guest, and writes that wait in a ring: what spares exits.</content>
public sealed partial class Vm
{
    private IrqFds? _irqFds;

    internal IoEvents IoEvents { get; } = new();

    internal CoalescedWrites Coalesced { get; } = new();

    /// <summary>Where coalesced writes wait from now on: a page that every vCPU's mapping shows. Without it that is the ring of the first vCPU. [KVM 4.116]</summary>
    /// <param name="ring">Address of 4096 zeroed bytes that stay as long as the VM.</param>
    public void SetCoalescedRing(nint ring)
    {
        ThrowIfDisposed();
        Coalesced.SetRing(ring);
    }

    /// <summary>KVM_IOEVENTFD: a guest's write to a port or address signals an eventfd instead of being an exit. The client may close its descriptor. [KVM 4.59]</summary>
    /// <exception cref="KvmException">
    /// EINVAL: flags, length, or not an eventfd; EBADF: no such file; EEXIST: another takes the same write; ENOSPC: too many; ENOENT: nothing like it to deassign.
    /// </exception>
    public void IoEventFd(in kvm_ioeventfd request)
    {
        ThrowIfDisposed();
        IoEvents.Set(in request);
    }

    /// <summary>KVM_IRQFD: an eventfd raises a GSI; with KVM_IRQFD_FLAG_RESAMPLE another is signalled when the guest has ended the interrupt. [KVM 4.75]</summary>
    /// <exception cref="KvmException">
    /// EINVAL: flags, no irqchip of KVM's (with resampling: none but a whole one), or not an eventfd; EBADF: no such file; EBUSY: the eventfd raises an interrupt already.
    /// </exception>
    public void IrqFd(in kvm_irqfd request)
    {
        const uint KnownFlags = KvmIrq.KVM_IRQFD_FLAG_DEASSIGN | KvmIrq.KVM_IRQFD_FLAG_RESAMPLE;
        lock (_gate)
        {
            ThrowIfDisposed();
            if ((request.flags & ~KnownFlags) != 0)
            {
                throw new KvmException(Errno.EINVAL, $"flags {request.flags:x} of kvm_irqfd");
            }

            bool resamples = (request.flags & KvmIrq.KVM_IRQFD_FLAG_RESAMPLE) != 0;
            if (Router is not { } router || (resamples && Irqchip is null))
            {
                throw new KvmException(Errno.EINVAL, "there is no interrupt controller of KVM's for it");
            }

            _irqFds ??= new IrqFds(router);
            if ((request.flags & KvmIrq.KVM_IRQFD_FLAG_DEASSIGN) != 0)
            {
                _irqFds.Deassign(in request);
            }
            else
            {
                _irqFds.Assign(in request);
            }
        }
    }

    /// <summary>KVM_REGISTER_COALESCED_MMIO: writes there wait in the ring of the first vCPU's mapping, at its third page, until the client looks. [KVM 4.116]</summary>
    /// <exception cref="KvmException">EINVAL: neither memory nor ports; ENOSPC: too many zones.</exception>
    public void RegisterCoalesced(in kvm_coalesced_mmio_zone zone)
    {
        ThrowIfDisposed();
        Coalesced.Register(in zone);
    }

    /// <summary>KVM_UNREGISTER_COALESCED_MMIO: every zone that holds this one is exits again. [KVM 4.116]</summary>
    /// <exception cref="KvmException">EINVAL: neither memory nor ports.</exception>
    public void UnregisterCoalesced(in kvm_coalesced_mmio_zone zone)
    {
        ThrowIfDisposed();
        Coalesced.Unregister(in zone);
    }
}
