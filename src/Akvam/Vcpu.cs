using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;
using Akvam.Native;

namespace Akvam;

/// <summary>
/// One virtual processor. Its methods are KVM's vCPU ioctls and may be called from any thread; like those, they wait while another thread is in
/// <see cref="Run"/> — except <see cref="Kick"/>, which ends it.
/// </summary>
/// <remarks>
/// Valid because the processor's state is freed under <see cref="_gate"/>, which every method that touches it holds, and devices, which do not hold it, post
/// requests through <see cref="Post"/>, which looks first.
/// </remarks>
public sealed unsafe partial class Vcpu : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Lock _postGate = new();
    private readonly WakeEvent _wake = new();
    private readonly Vm _vm;
    private readonly VcpuBus _bus;
    private readonly Processor _processor;
    private readonly RunPage _page;
    private readonly uint _id;
    private bool _disposed;

    internal Vcpu(Vm vm, uint id, nint runPage)
    {
        _vm = vm;
        _id = id;
        _statistics = new Statistics($"kvm-{Environment.ProcessId}/vcpu-{id}", s_kinds);
        _page = new RunPage(runPage, vm.VcpuMappingSize);
        DirtyRing = vm.VcpuMappingSize == Kvm.VcpuMmapSize
            ? null
            : new DirtyRing((kvm_dirty_gfn*)(_page.Address + Akvam.RunPage.DirtyRingOffset), (uint)(vm.VcpuMappingSize - Akvam.RunPage.DirtyRingOffset) / (uint)sizeof(kvm_dirty_gfn));
        _bus = new VcpuBus(vm, this);
        _processor = new Processor(vm.Group, _bus, (int)id, vm.Options.CacheSizes) { Engine = vm.Options.Engine, TranslateAfter = vm.Options.TranslateAfter, Quirks = vm.ProcessorQuirks };
        _processor.Cpuid.SetSupported(vm.SupportedCpuid);
        _bus.Attach(_processor);
        _processor.MsrPolicy = vm.MsrPolicy;
        _processor.Msrs.GuestReadsPlatformInfo = vm.GuestReadsPlatformInfo;
        _processor.TranslationObserver = _observers = Diagnostics.TranslationObservers.Create(vm.Options, id);
        _processor.State->TscOffset = vm.InitialTscOffset(_bus.TscKhz);
        _processor.IsBootstrap = id == vm.BootVcpuId;
        if (_bus.Lapic is not null && !_processor.IsBootstrap)
        {
            _processor.State->Activity = Activity.Uninitialized;
        }

        _page.Run->apic_base = _bus.ApicBase;
    }

    /// <summary>The number it was created with, which is its APIC ID.</summary>
    public uint Id => _id;

    public Vm Vm => _vm;

    /// <summary>The page shared with KVM: what the client asks for before <see cref="Run"/>, and what it finds afterwards. [KVM 5]</summary>
    public ref kvm_run RunPage => ref *_page.Run;

    /// <summary>Instructions that it has completed since it was created: an exact count.</summary>
    public ulong InstructionCount
    {
        get
        {
            lock (_gate)
            {
                return State()->Retired;
            }
        }
    }

    /// <summary>For signal handlers, what <see cref="Kick"/> is for other threads.</summary>
    public KickPoint KickPoint
    {
        get
        {
            lock (_gate)
            {
                return new KickPoint(Marshal.UnsafeAddrOfPinnedArrayElement(_kicked, 0), (nint)(&State()->Requests), (int)Request.Kick, _wake.File);
            }
        }
    }

    /// <summary>The processor itself, for debuggers: outside the stable part of the interface.</summary>
    internal Processor Processor => _processor;

    internal VcpuBus Bus => _bus;

    internal RunPage Page => _page;

    /// <summary>
    /// Makes <see cref="Run"/> return with KVM_EXIT_INTR as soon as the state is consistent; if no thread is in it, the next call returns at once. Any thread.
    /// </summary>
    public void Kick()
    {
        Volatile.Write(ref _kicked[0], 1);
        Post(Request.Kick);
    }

    /// <summary>Waits until no thread runs it, then frees its processor.</summary>
    public void Dispose()
    {
        _vm.Remove(this);
        Close();
    }

    internal void Close()
    {
        Volatile.Write(ref _closing, true);
        Kick();
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _bus.Dispose();
            lock (_postGate)
            {
                _processor.Dispose();
            }

            _observers?.Dispose();
        }
    }

    /// <summary>Asks the processor for something and wakes it if it sleeps. Any thread.</summary>
    internal void Post(Request request)
    {
        lock (_postGate)
        {
            if (_processor.State == null)
            {
                return;
            }

            Processor.Post(_processor.State, request);
        }

        _wake.Signal();
    }

    /// <summary>The state, for a caller that holds the gate.</summary>
    private CpuState* State()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _processor.State;
    }
}
