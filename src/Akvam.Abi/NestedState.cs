using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>The part of <see cref="kvm_nested_state"/> that only VMX has; Akvam refuses this format.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_vmx_nested_state_hdr
{
    public ulong vmxon_pa;
    public ulong vmcs12_pa;
    public Smm smm;
    public ushort pad;
    public uint flags;
    public ulong preemption_timer_deadline;

    /// <summary>What SMM interrupted.</summary>
    public struct Smm
    {
        public ushort flags;
    }
}

/// <summary>The part of <see cref="kvm_nested_state"/> that only SVM has: the guest-physical address of the running VMCB.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_svm_nested_state_hdr
{
    public ulong vmcb_pa;
}

/// <summary>
/// KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE: a header of 128 bytes; <c>size</c> counts it and the data behind it, which for SVM in guest mode is one
/// VMCB of 4096 bytes. [KVM 4.114]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_nested_state
{
    public ushort flags;
    public ushort format;
    public uint size;
    public Header hdr;

    /// <summary>Vendor part, padded to 120 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 120)]
    public struct Header
    {
        [FieldOffset(0)]
        public kvm_vmx_nested_state_hdr vmx;
        [FieldOffset(0)]
        public kvm_svm_nested_state_hdr svm;
    }
}
