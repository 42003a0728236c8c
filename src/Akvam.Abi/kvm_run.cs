using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>
/// The page that a vCPU's file maps at offset 0: what the client wants, why KVM_RUN returned, and what goes with the reason. The union holds the
/// members that x86 uses. [KVM 5]
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 2352)]
public partial struct kvm_run
{
    /// <summary>In: exit with KVM_EXIT_IRQ_WINDOW_OPEN as soon as an interrupt can be injected.</summary>
    [FieldOffset(0)]
    public byte request_interrupt_window;

    /// <summary>In: KVM_RUN returns EINTR at once, after it has finished what the last exit left open.</summary>
    [FieldOffset(1)]
    public byte immediate_exit;
    [FieldOffset(2)]
    public U8x6 padding1;

    /// <summary>Out: one of KVM_EXIT_*.</summary>
    [FieldOffset(8)]
    public uint exit_reason;
    [FieldOffset(12)]
    public byte ready_for_interrupt_injection;
    [FieldOffset(13)]
    public byte if_flag;

    /// <summary>Out: KVM_RUN_X86_*.</summary>
    [FieldOffset(14)]
    public ushort flags;

    /// <summary>In and out.</summary>
    [FieldOffset(16)]
    public ulong cr8;

    /// <summary>In and out.</summary>
    [FieldOffset(24)]
    public ulong apic_base;

    [FieldOffset(32)]
    public Hardware hw;
    [FieldOffset(32)]
    public FailEntry fail_entry;
    [FieldOffset(32)]
    public GuestException ex;
    [FieldOffset(32)]
    public Io io;
    [FieldOffset(32)]
    public Debug debug;
    [FieldOffset(32)]
    public Mmio mmio;
    [FieldOffset(32)]
    public Hypercall hypercall;
    [FieldOffset(32)]
    public TprAccess tpr_access;
    [FieldOffset(32)]
    public Internal @internal;
    [FieldOffset(32)]
    public EmulationFailure emulation_failure;
    [FieldOffset(32)]
    public SystemEvent system_event;
    [FieldOffset(32)]
    public Eoi eoi;
    [FieldOffset(32)]
    public kvm_hyperv_exit hyperv;
    [FieldOffset(32)]
    public Msr msr;
    [FieldOffset(32)]
    public kvm_xen_exit xen;
    [FieldOffset(32)]
    public Notify notify;
    [FieldOffset(32)]
    public MemoryFault memory_fault;
    [FieldOffset(32)]
    public U8x256 padding;

    /// <summary>In: classes of registers (KVM_SYNC_X86_*) that KVM copies to <c>s</c> at every exit.</summary>
    [FieldOffset(288)]
    public ulong kvm_valid_regs;

    /// <summary>In: classes of registers that KVM loads from <c>s</c> before it runs.</summary>
    [FieldOffset(296)]
    public ulong kvm_dirty_regs;
    [FieldOffset(304)]
    public Sync s;

    /// <summary>The copied registers, padded to 2048 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 2048)]
    public struct Sync
    {
        [FieldOffset(0)]
        public kvm_sync_regs regs;
    }
}

/// <summary>KVM_CAP_SYNC_REGS: registers shared with the client through <see cref="kvm_run.s"/>, to be read once and then checked. [KVM 6.74]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_sync_regs
{
    public kvm_regs regs;
    public kvm_sregs sregs;
    public kvm_vcpu_events events;
}
