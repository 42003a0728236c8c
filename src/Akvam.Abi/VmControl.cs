using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>KVM_ENABLE_CAP on a VM or a vCPU. [KVM 4.37]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_enable_cap
{
    public uint cap;
    public uint flags;
    public U64x4 args;
    public U8x64 pad;
}

/// <summary>KVM_CREATE_DEVICE: <c>fd</c> comes back. [KVM 4.79]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_create_device
{
    public uint type;
    public uint fd;
    public uint flags;
}

/// <summary>KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR: <c>addr</c> is the client's address of the value. [KVM 4.80]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_device_attr
{
    public uint flags;
    public uint group;
    public ulong attr;
    public ulong addr;
}

/// <summary>KVM_GET_CLOCK, KVM_SET_CLOCK: kvmclock in nanoseconds; <c>flags</c> says which of the other two are valid. [KVM 4.29]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_clock_data
{
    public ulong clock;
    public uint flags;
    public uint pad0;

    /// <summary>Host time at the reading, nanoseconds since 1970.</summary>
    public ulong realtime;
    public ulong host_tsc;
    public U32x4 pad;
}

/// <summary>Start of what a statistics file contains; offsets are in bytes from its start. [KVM 4.133]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_stats_header
{
    public uint flags;
    public uint name_size;
    public uint num_desc;
    public uint id_offset;
    public uint desc_offset;
    public uint data_offset;
}

/// <summary>One statistic: <c>size</c> 64-bit values at <c>offset</c> in the data; <c>name_size</c> bytes of name follow. [KVM 4.133]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_stats_desc
{
    public uint flags;
    public short exponent;
    public ushort size;
    public uint offset;
    public uint bucket_size;
}
