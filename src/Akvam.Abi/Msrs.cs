using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>One MSR in the array that follows <see cref="kvm_msrs"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_entry
{
    public uint index;
    public uint reserved;
    public ulong data;
}

/// <summary>KVM_GET_MSRS, KVM_SET_MSRS: header of <c>nmsrs</c> <see cref="kvm_msr_entry"/>; the ioctl returns how many it did. [KVM 4.18]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msrs
{
    public uint nmsrs;
    public uint pad;
}

/// <summary>KVM_GET_MSR_INDEX_LIST: header of <c>nmsrs</c> 32-bit MSR numbers. Too small a count is answered with E2BIG and the right one. [KVM 4.3]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_list
{
    public uint nmsrs;
}

/// <summary>MSRs from <c>base</c> on; a 1 in the client's bitmap allows what <c>flags</c> names, a 0 denies it. [KVM 4.97]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_filter_range
{
    public uint flags;
    public uint nmsrs;
    public uint @base;

    /// <summary>Address in the client.</summary>
    public ulong bitmap;
}

/// <summary>KVM_X86_SET_MSR_FILTER: at most 16 ranges; a range with <c>nmsrs</c> 0 is unused. [KVM 4.97]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_filter
{
    public uint flags;
    public RangeArray ranges;

    /// <summary>KVM_MSR_FILTER_MAX_RANGES ranges.</summary>
    [InlineArray(16)]
    public struct RangeArray
    {
        private kvm_msr_filter_range _element0;
    }
}

/// <summary>KVM_GET_ONE_REG, KVM_SET_ONE_REG: a register's id and the client's address for its value. [KVM 4.68]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_one_reg
{
    public ulong id;
    public ulong addr;
}

/// <summary>KVM_GET_REG_LIST: header of <c>n</c> 64-bit register ids. [KVM 4.84]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_reg_list
{
    public ulong n;
}

/// <summary>KVM_SET_PMU_EVENT_FILTER: header of <c>nevents</c> 64-bit event selects. [KVM 4.120]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pmu_event_filter
{
    public uint action;
    public uint nevents;
    public uint fixed_counter_bitmap;
    public uint flags;
    public U32x4 pad;
}
