using System.Collections.Concurrent;
using Akvam.Abi;
using Akvam.Debugger.Smram;

namespace Akvam.Preload;

/// <summary>A VM. It ends when its own descriptors and those of its vCPUs are closed, whatever the order; until then a vCPU exists, open or not.</summary>
internal sealed class VmFile(Descriptors descriptors, Vm vm) : KvmFile(descriptors)
{
    private readonly ConcurrentBag<(nint Address, int Size)> _mappings = [];
    private readonly Dictionary<object, int> _statsFiles = [];
    private readonly Dictionary<uint, int> _guards = [];
    private int _ringFile = -1;
    private readonly ConcurrentDictionary<uint, ulong> _slotPages = new();
    private readonly ConcurrentBag<Vcpu> _vcpus = [];
    private readonly TraceFile? _trace = TraceFile.Open();
    private readonly Lock _gate = new();
    private SmramServer? _inspector;
    private const int RingSize = 4096;

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

        _inspector?.Dispose();
        Vm.Dispose();
        _trace?.Close();
        foreach ((nint address, int size) in _mappings)
        {
            Descriptors.Unmap(address, size);
        }

        foreach (int number in _guards.Values)
        {
            Descriptors.Unguard(number);
        }

        if (_ringFile >= 0)
        {
            Descriptors.Close(_ringFile);
        }

        foreach (int file in _statsFiles.Values)
        {
            Descriptors.Close(file);
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
        int size = Vm.VcpuMappingSize;
        try
        {
            return Descriptors.Create(
                $"kvm-vcpu:{id}",
                size,
                FileKind.Vcpu,
                page =>
                {
                    created = Vm.CreateVcpu((uint)id, page);
                    _trace?.Follow(created);
                    _vcpus.Add(created);
                    StartInspector();
                    _mappings.Add((page, size));
                    Retain();
                    return new VcpuFile(Descriptors, this, created);
                },
                file => file.Vcpu.KickPoint,
                RingFile());
        }
        catch when (created is not null)
        {
            created.Dispose();
            Release();
            throw;
        }
    }

    /// <summary>The memory of the ring of coalesced writes, made with the first vCPU.</summary>
    private int RingFile()
    {
        lock (_statsFiles)
        {
            if (_ringFile < 0)
            {
                _ringFile = Descriptors.CreateShared("kvm-coalesced", RingSize, out nint mapping);
                _mappings.Add((mapping, RingSize));
                Vm.SetCoalescedRing(mapping);
            }

            return _ringFile;
        }
    }

    /// <summary>KVM_GET_STATS_FD. The counters move into a file of memory once; each call opens it anew, for reading. [KVM 4.133]</summary>
    public long GetStatsFd(object owner, string name, int size, Action<nint> move)
    {
        lock (_statsFiles)
        {
            if (!_statsFiles.TryGetValue(owner, out int file))
            {
                file = Descriptors.CreateShared($"kvm-{name}-stats", size, out nint mapping);
                _statsFiles.Add(owner, file);
                _mappings.Add((mapping, size));
                move(mapping);
            }

            return Descriptors.Reopen(file);
        }
    }

    /// <summary>The socket that AKVAM_INSPECT names, for 'akvam smram --live'. A client has no option for it, so what is wrong is said and nothing more.</summary>
    private void StartInspector()
    {
        lock (_gate)
        {
            if (_inspector is not null || Environment.GetEnvironmentVariable("AKVAM_INSPECT") is not { Length: > 0 } path)
            {
                return;
            }

            try
            {
                _inspector = new SmramServer(path, () => _vcpus);
            }
            catch (SmramException e)
            {
                Console.Error.WriteLine($"akvam: {e.Message}");
            }
        }
    }

    public void SetMemoryRegion(in kvm_userspace_memory_region region)
    {
        // The kernel would find out when the guest touches the memory, and so do we.
        lock (_guards)
        {
            Vm.SetUserMemoryRegion(in region);
            if (_guards.Remove(region.slot, out int old))
            {
                Descriptors.Unguard(old);
            }

            if (region.memory_size != 0)
            {
                _guards.Add(region.slot, Descriptors.Guard(region.userspace_addr, region.memory_size));
            }
        }

        _slotPages[region.slot] = region.memory_size / 4096;
    }

    /// <summary>Words of the dirty bitmap of a slot; 0 if there is no such slot, which the VM then says better.</summary>
    public int DirtyWords(uint slot) => (int)((_slotPages.GetValueOrDefault(slot) + 63) / 64);
}
