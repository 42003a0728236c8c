using System.Collections.Concurrent;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>A VM. It ends when its own descriptors and those of its vCPUs are closed, whatever the order; until then a vCPU exists, open or not.</summary>
internal sealed class VmFile(Descriptors descriptors, Vm vm) : KvmFile(descriptors)
{
    private readonly ConcurrentBag<nint> _runPages = [];
    private readonly ConcurrentDictionary<uint, ulong> _slotPages = new();
    private readonly TraceFile? _trace = TraceFile.Open();
    private int _references = 1;

    public Vm Vm { get; } = vm;

    public override long Ioctl(uint request, ulong argument)
    {
        if (request is not (KvmIoctl.KVM_IRQ_LINE or KvmIoctl.KVM_IRQ_LINE_STATUS))
        {
            return VmIoctls.Table.Run(this, request, argument);
        }

        // Before the table, because devices drive lines all the time.
        kvm_irq_level line = Client.Read<kvm_irq_level>(argument);
        line.status = Vm.IrqLine(line.irq, line.level != 0);
        if (request == KvmIoctl.KVM_IRQ_LINE_STATUS)
        {
            Client.Write(argument, in line);
        }

        return 0;
    }

    public override void Close() => Release();

    public void Retain() => Interlocked.Increment(ref _references);

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0)
        {
            return;
        }

        Vm.Dispose();
        _trace?.Close();
        foreach (nint page in _runPages)
        {
            Descriptors.Unmap(page, Kvm.VcpuMmapSize);
        }
    }

    /// <summary>KVM_CREATE_VCPU. [KVM 4.7]</summary>
    public long CreateVcpu(ulong id)
    {
        if (id > uint.MaxValue)
        {
            throw new KvmException(Errno.EINVAL, $"vCPU {id}");
        }

        Vcpu? created = null;
        try
        {
            return Descriptors.Create(
                $"kvm-vcpu:{id}",
                Kvm.VcpuMmapSize,
                FileKind.Vcpu,
                page =>
                {
                    created = Vm.CreateVcpu((uint)id, page);
                    _trace?.Follow(created);
                    _runPages.Add(page);
                    Retain();
                    return new VcpuFile(Descriptors, this, created);
                },
                file => file.Vcpu.KickPoint);
        }
        catch when (created is not null)
        {
            created.Dispose();
            Release();
            throw;
        }
    }

    public void SetMemoryRegion(in kvm_userspace_memory_region region)
    {
        Vm.SetUserMemoryRegion(in region);
        _slotPages[region.slot] = region.memory_size / 4096;
    }

    /// <summary>Words of the dirty bitmap of a slot; 0 if there is no such slot, which the VM then says better.</summary>
    public int DirtyWords(uint slot) => (int)((_slotPages.GetValueOrDefault(slot) + 63) / 64);
}
