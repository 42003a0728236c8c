using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>Time that a vCPU did not get, in the guest page of MSR_KVM_STEAL_TIME; <c>version</c> is odd during an update. [KVM msr.rst]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_steal_time
{
    /// <summary>Nanoseconds.</summary>
    public ulong steal;
    public uint version;
    public uint flags;
    public byte preempted;
    public U8x3 u8_pad;
    public U32x11 pad;
}

/// <summary>Answer of KVM_HC_CLOCK_PAIRING: host time and the TSC at that moment. [KVM hypercalls.rst]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_clock_pairing
{
    public long sec;
    public long nsec;
    public ulong tsc;
    public uint flags;
    public U32x9 pad;
}

/// <summary>
/// kvmclock of one vCPU, at the address in MSR_KVM_SYSTEM_TIME_NEW; 32 bytes. Time in nanoseconds is
/// <c>system_time + (((tsc - tsc_timestamp) shifted left by tsc_shift) * tsc_to_system_mul >> 32)</c>. [KVM msr.rst]
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct pvclock_vcpu_time_info
{
    public uint version;
    public uint pad0;
    public ulong tsc_timestamp;
    public ulong system_time;
    public uint tsc_to_system_mul;
    public sbyte tsc_shift;
    public byte flags;
    public U8x2 pad;
}

/// <summary>Wall-clock time at the VM's start, at the address in MSR_KVM_WALL_CLOCK_NEW; 12 bytes. [KVM msr.rst]</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct pvclock_wall_clock
{
    public uint version;
    public uint sec;
    public uint nsec;
}
