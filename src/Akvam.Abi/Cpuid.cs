using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>A leaf of the old KVM_SET_CPUID, without sub-leaves.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_cpuid_entry
{
    public uint function;
    public uint eax;
    public uint ebx;
    public uint ecx;
    public uint edx;
    public uint padding;
}

/// <summary>KVM_SET_CPUID: header of <c>nent</c> <see cref="kvm_cpuid_entry"/>. [KVM 4.20]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_cpuid
{
    public uint nent;
    public uint padding;
}

/// <summary>A CPUID leaf, or a sub-leaf (<c>index</c>) where <c>flags</c> says that the index matters.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_cpuid_entry2
{
    public uint function;
    public uint index;
    public uint flags;
    public uint eax;
    public uint ebx;
    public uint ecx;
    public uint edx;
    public U32x3 padding;
}

/// <summary>
/// KVM_SET_CPUID2, KVM_GET_CPUID2, KVM_GET_SUPPORTED_CPUID: header of <c>nent</c> <see cref="kvm_cpuid_entry2"/>. Too few entries are answered with
/// E2BIG. [KVM 4.46]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_cpuid2
{
    public uint nent;
    public uint padding;
}
