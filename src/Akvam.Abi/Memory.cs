using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>
/// KVM_SET_USER_MEMORY_REGION: bits 15:0 of <c>slot</c> are its number, bits 31:16 the address space (1 is SMRAM's view). Size 0 removes the
/// slot. [KVM 4.35]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_userspace_memory_region
{
    public uint slot;
    public uint flags;
    public ulong guest_phys_addr;
    public ulong memory_size;
    public ulong userspace_addr;
}

/// <summary>KVM_SET_USER_MEMORY_REGION2: as <see cref="kvm_userspace_memory_region"/>, with room for a guest_memfd. [KVM 4.140]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_userspace_memory_region2
{
    public uint slot;
    public uint flags;
    public ulong guest_phys_addr;
    public ulong memory_size;
    public ulong userspace_addr;
    public ulong guest_memfd_offset;
    public uint guest_memfd;
    public uint pad1;
    public U64x14 pad2;
}

/// <summary>KVM_GET_DIRTY_LOG: one bit a page, at the client's address <c>dirty_bitmap</c>, in whole 64-bit words. [KVM 4.8]</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_dirty_log
{
    [FieldOffset(0)]
    public uint slot;
    [FieldOffset(4)]
    public uint padding1;
    [FieldOffset(8)]
    public ulong dirty_bitmap;
    [FieldOffset(8)]
    public ulong padding2;
}

/// <summary>KVM_CLEAR_DIRTY_LOG: pages whose bit is set are watched again; <c>first_page</c> is a multiple of 64. [KVM 4.117]</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_clear_dirty_log
{
    [FieldOffset(0)]
    public uint slot;
    [FieldOffset(4)]
    public uint num_pages;
    [FieldOffset(8)]
    public ulong first_page;
    [FieldOffset(16)]
    public ulong dirty_bitmap;
    [FieldOffset(16)]
    public ulong padding2;
}

/// <summary>One entry of a vCPU's dirty ring: a slot (with its address space) and a page offset in it. [KVM 8.29]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_dirty_gfn
{
    public uint flags;
    public uint slot;
    public ulong offset;
}

/// <summary>KVM_REGISTER_COALESCED_MMIO: addresses (ports, where <c>pio</c> is 1) whose writes are queued instead of exiting. [KVM 4.116]</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_coalesced_mmio_zone
{
    [FieldOffset(0)]
    public ulong addr;
    [FieldOffset(8)]
    public uint size;
    [FieldOffset(12)]
    public uint pad;
    [FieldOffset(12)]
    public uint pio;
}

/// <summary>One queued write.</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_coalesced_mmio
{
    [FieldOffset(0)]
    public ulong phys_addr;
    [FieldOffset(8)]
    public uint len;
    [FieldOffset(12)]
    public uint pad;
    [FieldOffset(12)]
    public uint pio;
    [FieldOffset(16)]
    public U8x8 data;
}

/// <summary>Header of the ring of <see cref="kvm_coalesced_mmio"/> in the vCPU mapping: the client moves <c>first</c>, KVM moves <c>last</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_coalesced_mmio_ring
{
    public uint first;
    public uint last;
}
