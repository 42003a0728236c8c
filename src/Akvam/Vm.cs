using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.Memory;
using Akvam.Devices;
using Akvam.Native;

namespace Akvam;

/// <summary>One virtual machine: memory, processors, and the interrupt controllers that KVM keeps in the kernel. Its methods are KVM's VM ioctls; any thread may call them.</summary>
public sealed partial class Vm : IDisposable
{
    /// <summary>vCPU numbers are below this (KVM_CAP_MAX_VCPU_ID).</summary>
    public const uint MaxVcpuId = 4096;

    /// <summary>KVM_CAP_MAX_VCPUS.</summary>
    public const int MaxVcpus = 1024;

    private readonly Lock _gate = new();
    private readonly Kvm _kvm;
    private Vcpu[] _vcpus = [];
    private bool _disposed;

    /// <summary><see cref="Kvm.Nested"/>.</summary>
    internal bool IsNested => _kvm.Nested;

    /// <summary><see cref="Kvm.Model"/>.</summary>
    internal Cpu.Cpuid.CpuidEntry[] SupportedCpuid => _kvm.Model;

    /// <summary>What it was made with.</summary>
    internal VmOptions Options { get; }

    internal Vm(Kvm kvm, VmOptions options)
    {
        _kvm = kvm;
        Clock = new VmClock(options.Clock ?? HostClock(), options.WallClock);
        _defaultTscKhz = Clock.HostTscKhz;
        _timers = options.Timers;
        Options = options;
        Random = options.Random ?? new SystemRandomSource();
        StealTime = options.StealTime ?? new HostStealTime();
        HasStealTime = options.StealTime is not null || HostStealTime.IsAvailable;
        _regions = new MemoryRegions(Group.Memory);
    }

    /// <summary>Devices of the client that are served without an exit; null: none. To be set before a vCPU runs.</summary>
    public IPortHandler? PortHandler { get; set; }

    public ReadOnlySpan<Vcpu> Vcpus => Volatile.Read(ref _vcpus);

    internal ProcessorGroup Group { get; } = new();

    internal PhysicalMemory Memory => Group.Memory;

    internal VmClock Clock { get; }

    internal IRandomSource Random { get; }

    internal IStealTimeSource StealTime { get; }

    /// <summary>There is something to tell a guest that asks with MSR_KVM_STEAL_TIME.</summary>
    internal bool HasStealTime { get; }

    /// <summary>The vCPU that starts running at reset (KVM_SET_BOOT_CPU_ID).</summary>
    internal uint BootVcpuId { get; private set; }

    /// <summary>KVM_CREATE_VCPU. [KVM 4.7]</summary>
    /// <param name="id">Its number and APIC ID.</param>
    /// <exception cref="KvmException">EINVAL: no such number, or too many; EEXIST: there is one with this number.</exception>
    public Vcpu CreateVcpu(uint id = 0) => CreateVcpu(id, runPage: 0);

    /// <summary>As <see cref="CreateVcpu(uint)"/>, with the client's own memory as the run page.</summary>
    /// <param name="id">Its number and APIC ID.</param>
    /// <param name="runPage">Address of <see cref="Kvm.VcpuMmapSize"/> bytes, zeroed and page-aligned, that stay until the vCPU is disposed of.</param>
    public Vcpu CreateVcpu(uint id, nint runPage)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (id >= (_maxVcpuIds != 0 ? _maxVcpuIds : MaxVcpuId) || _vcpus.Length >= MaxVcpus)
            {
                throw new KvmException(Errno.EINVAL, $"vCPU {id} of at most {MaxVcpus}");
            }

            if (Find(id) is not null)
            {
                throw new KvmException(Errno.EEXIST, $"vCPU {id}");
            }

            var vcpu = new Vcpu(this, id, runPage);
            Coalesced.Attach(vcpu.Page);
            Volatile.Write(ref _vcpus, [.. _vcpus, vcpu]);
            _statistics.Set(VcpuCount, (ulong)_vcpus.Length);
            return vcpu;
        }
    }

    /// <summary>KVM_SET_BOOT_CPU_ID.</summary>
    /// <exception cref="KvmException">EBUSY: there are vCPUs already.</exception>
    public void SetBootVcpuId(uint id)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            if (_vcpus.Length != 0)
            {
                throw new KvmException(Errno.EBUSY, "the boot vCPU has to be chosen before any is created");
            }

            if (id >= MaxVcpuId)
            {
                throw new KvmException(Errno.EINVAL, $"vCPU {id}");
            }

            BootVcpuId = id;
        }
    }

    /// <summary>Stops every vCPU (a thread in <see cref="Vcpu.Run"/> gets KVM_EXIT_INTR, then errors), and frees the memory.</summary>
    public void Dispose()
    {
        Vcpu[] vcpus;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            vcpus = _vcpus;
        }

        foreach (Vcpu vcpu in vcpus)
        {
            vcpu.Kick();
        }

        foreach (Vcpu vcpu in vcpus)
        {
            vcpu.Close();
        }

        DisposeIrqchip();
        (StealTime as HostStealTime)?.Dispose();
        Group.Dispose();
        FreeMemory();
        _kvm.Remove(this);
    }

    internal Vcpu? Find(uint id) => Array.Find(Volatile.Read(ref _vcpus), v => v.Id == id);

    internal void Remove(Vcpu vcpu)
    {
        lock (_gate)
        {
            Volatile.Write(ref _vcpus, Array.FindAll(_vcpus, v => v != vcpu));
            _statistics.Set(VcpuCount, (ulong)_vcpus.Length);
            Coalesced.Detach(vcpu.Page);
        }
    }

    /// <summary>The guest's TSC then is what the client reads with RDTSC, plus an offset, as with the real KVM.</summary>
    private static IClock HostClock() => HostTsc.Instance is { } tsc ? new CounterClock(tsc) : new MonotonicClock();

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);
}
