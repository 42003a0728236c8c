using Akvam.Abi;

namespace Akvam;

/// <summary>
/// Why <see cref="Vcpu.Run"/> returned: a view of the run page, without a copy. It is valid until the vCPU runs again. Of the properties, only the one that
/// belongs to <see cref="Reason"/> means anything. [KVM 5]
/// </summary>
public readonly ref struct VcpuExit
{
    private readonly ref kvm_run _run;

    internal VcpuExit(ref kvm_run run, uint reason)
    {
        _run = ref run;
        Reason = reason;
    }

    /// <summary>One of <see cref="KvmExit"/>'s KVM_EXIT_*. KVM_EXIT_INTR is what an ioctl reports as EINTR.</summary>
    public uint Reason { get; }

    /// <summary>KVM_RUN_X86_SMM, KVM_RUN_X86_GUEST_MODE.</summary>
    public ushort Flags => _run.flags;

    /// <summary>The processor was in System Management Mode.</summary>
    public bool InSmm => (_run.flags & KvmExit.KVM_RUN_X86_SMM) != 0;

    /// <summary>KVM_EXIT_IO: a port was read or written.</summary>
    public IoExit Io => new(ref _run);

    /// <summary>KVM_EXIT_MMIO: an address without memory was read or written.</summary>
    public MmioExit Mmio => new(ref _run);

    /// <summary>KVM_EXIT_DEBUG: a breakpoint or single step.</summary>
    public ref readonly kvm_debug_exit_arch Debug => ref _run.debug.arch;

    /// <summary>KVM_EXIT_TPR_ACCESS.</summary>
    public ref readonly kvm_run.TprAccess TprAccess => ref _run.tpr_access;

    /// <summary>KVM_EXIT_INTERNAL_ERROR.</summary>
    public ref readonly kvm_run.Internal InternalError => ref _run.@internal;

    /// <summary>KVM_EXIT_INTERNAL_ERROR with KVM_INTERNAL_ERROR_EMULATION.</summary>
    public ref readonly kvm_run.EmulationFailure EmulationFailure => ref _run.emulation_failure;

    /// <summary>KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR: to be answered in <c>data</c> and <c>error</c>.</summary>
    public ref kvm_run.Msr Msr => ref _run.msr;

    /// <summary>KVM_EXIT_SYSTEM_EVENT.</summary>
    public ref readonly kvm_run.SystemEvent SystemEvent => ref _run.system_event;

    /// <summary>KVM_EXIT_IOAPIC_EOI: the vector.</summary>
    public byte EoiVector => _run.eoi.vector;

    /// <summary>KVM_EXIT_FAIL_ENTRY.</summary>
    public ref readonly kvm_run.FailEntry FailEntry => ref _run.fail_entry;

    /// <summary>Everything, as the ABI lays it out.</summary>
    public ref readonly kvm_run Raw => ref _run;
}
