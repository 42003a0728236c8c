using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>
/// KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS: events on their way into the guest and the states that block them. On SET, <c>flags</c> names the
/// parts that count. [KVM 4.31]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_vcpu_events
{
    public Exception exception;
    public Interrupt interrupt;
    public Nmi nmi;
    public uint sipi_vector;
    public uint flags;
    public Smi smi;
    public TripleFault triple_fault;
    public U8x26 reserved;
    public byte exception_has_payload;
    public ulong exception_payload;

    /// <summary>A fault: <c>pending</c> (may still be intercepted) or <c>injected</c> (its delivery has begun).</summary>
    public struct Exception
    {
        public byte injected;
        public byte nr;
        public byte has_error_code;
        public byte pending;
        public uint error_code;
    }

    /// <summary>An external or software interrupt in delivery, and the shadow of STI or MOV SS.</summary>
    public struct Interrupt
    {
        public byte injected;
        public byte nr;
        public byte soft;
        public byte shadow;
    }

    /// <summary>NMI in delivery, latched, and blocked until IRET.</summary>
    public struct Nmi
    {
        public byte injected;
        public byte pending;
        public byte masked;
        public byte pad;
    }

    /// <summary>In SMM, SMI latched, SMM entered while NMIs were blocked, and an INIT held back by SMM.</summary>
    public struct Smi
    {
        public byte smm;
        public byte pending;
        public byte smm_inside_nmi;
        public byte latched_init;
    }

    /// <summary>A triple fault that has not been acted on yet.</summary>
    public struct TripleFault
    {
        public byte pending;
    }
}

/// <summary>KVM_GET_MP_STATE, KVM_SET_MP_STATE: one of KVM_MP_STATE_*. [KVM 4.38]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_mp_state
{
    public uint mp_state;
}

/// <summary>KVM_INTERRUPT: a vector to deliver, where the interrupt controller is the client's. [KVM 4.16]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_interrupt
{
    public uint irq;
}

/// <summary>KVM_X86_SET_MCE: a machine check for one bank. [KVM 4.106]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_x86_mce
{
    public ulong status;
    public ulong addr;
    public ulong misc;
    public ulong mcg_status;
    public byte bank;
    public U8x7 pad1;
    public U64x3 pad2;
}

/// <summary>KVM_SET_SIGNAL_MASK: header of <c>len</c> bytes of signal set; <c>len</c> is 8, the kernel's size, not libc's. [KVM 4.21]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_signal_mask
{
    public uint len;
}

/// <summary>KVM_TPR_ACCESS_REPORTING: exits for the task priority register on or off.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_tpr_access_ctl
{
    public uint enabled;
    public uint flags;
    public U32x8 reserved;
}

/// <summary>KVM_SET_VAPIC_ADDR: guest-physical address of the task priority that a patched guest reads and writes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_vapic_addr
{
    public ulong vapic_addr;
}

/// <summary>KVM_TRANSLATE: a linear address in, its translation by the vCPU's paging mode out. [KVM 4.15]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_translation
{
    public ulong linear_address;
    public ulong physical_address;
    public byte valid;
    public byte writeable;
    public byte usermode;
    public U8x5 pad;
}
