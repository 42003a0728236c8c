using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>A route to a pin of one of the chips.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_irqchip
{
    public uint irqchip;
    public uint pin;
}

/// <summary>A route to a message.</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_irq_routing_msi
{
    [FieldOffset(0)]
    public uint address_lo;
    [FieldOffset(4)]
    public uint address_hi;
    [FieldOffset(8)]
    public uint data;
    [FieldOffset(12)]
    public uint pad;
    [FieldOffset(12)]
    public uint devid;
}

/// <summary>A route to a Hyper-V synthetic interrupt.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_hv_sint
{
    public uint vcpu;
    public uint sint;
}

/// <summary>A route to a Xen event channel.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_xen_evtchn
{
    public uint port;
    public uint vcpu;
    public uint priority;
}

/// <summary>Where an interrupt number (GSI) goes; several entries may share a GSI.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing_entry
{
    public uint gsi;
    public uint type;
    public uint flags;
    public uint pad;
    public Target u;

    /// <summary>What <c>type</c> says it is.</summary>
    [StructLayout(LayoutKind.Explicit)]
    public struct Target
    {
        [FieldOffset(0)]
        public kvm_irq_routing_irqchip irqchip;
        [FieldOffset(0)]
        public kvm_irq_routing_msi msi;
        [FieldOffset(0)]
        public kvm_irq_routing_hv_sint hv_sint;
        [FieldOffset(0)]
        public kvm_irq_routing_xen_evtchn xen_evtchn;

        // Aligns the union to 8 bytes and sizes it, as the adapter entry of another architecture does in the header.
        [FieldOffset(0)]
        private U64x4 _size;
    }
}

/// <summary>KVM_SET_GSI_ROUTING: header of <c>nr</c> <see cref="kvm_irq_routing_entry"/> that replace the whole table. [KVM 4.52]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irq_routing
{
    public uint nr;
    public uint flags;
}

/// <summary>KVM_IRQFD: an eventfd that raises a GSI, and one that is signalled when the guest ends a level-triggered one. [KVM 4.75]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irqfd
{
    public uint fd;
    public uint gsi;
    public uint flags;
    public uint resamplefd;
    public U8x16 pad;
}

/// <summary>KVM_IOEVENTFD: an eventfd that a guest's write to a port or address signals; <c>len</c> 1, 2, 4, 8, or 0 for any. [KVM 4.59]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_ioeventfd
{
    public ulong datamatch;
    public ulong addr;
    public uint len;
    public int fd;
    public uint flags;
    public U8x36 pad;
}
