using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>One 8259, in the part of <see cref="kvm_irqchip"/> that chips 0 and 1 use.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pic_state
{
    public byte last_irr;
    public byte irr;
    public byte imr;
    public byte isr;
    public byte priority_add;
    public byte irq_base;
    public byte read_reg_select;
    public byte poll;
    public byte special_mask;
    public byte init_state;
    public byte auto_eoi;
    public byte rotate_on_auto_eoi;
    public byte special_fully_nested_mode;
    public byte init4;
    public byte elcr;
    public byte elcr_mask;
}

/// <summary>The IOAPIC; a redirection entry is the register's 64 bits. [SDM3 11], 82093AA data sheet</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_ioapic_state
{
    public ulong base_address;
    public uint ioregsel;
    public uint id;
    public uint irr;
    public uint pad;

    /// <summary>KVM_IOAPIC_NUM_PINS entries.</summary>
    public U64x24 redirtbl;
}

/// <summary>KVM_GET_IRQCHIP, KVM_SET_IRQCHIP: one of the three chips. [KVM 4.26]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_irqchip
{
    public uint chip_id;
    public uint pad;
    public Chip chip;

    /// <summary>What <c>chip_id</c> says it is.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 512)]
    public struct Chip
    {
        [FieldOffset(0)]
        public kvm_pic_state pic;
        [FieldOffset(0)]
        public kvm_ioapic_state ioapic;
    }
}

/// <summary>KVM_GET_LAPIC, KVM_SET_LAPIC: the register page, a register every 16 bytes. [KVM 4.57]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_lapic_state
{
    public U8x1024 regs;
}

/// <summary>KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS: an input goes to <c>level</c>; the second form gives back whether it was delivered. [KVM 4.25]</summary>
[StructLayout(LayoutKind.Explicit)]
public struct kvm_irq_level
{
    [FieldOffset(0)]
    public uint irq;
    [FieldOffset(0)]
    public int status;
    [FieldOffset(4)]
    public uint level;
}

/// <summary>KVM_SIGNAL_MSI: a message as a device would write it. [KVM 4.71]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msi
{
    public uint address_lo;
    public uint address_hi;
    public uint data;
    public uint flags;
    public uint devid;
    public U8x12 pad;
}

/// <summary>KVM_CREATE_PIT2: flags for the speaker port. [KVM 4.71]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pit_config
{
    public uint flags;
    public U32x15 pad;
}

/// <summary>One of the three counters of the 8254; <c>count</c> is 1 to 65536, <c>count_load_time</c> in nanoseconds of the VM's clock.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pit_channel_state
{
    public uint count;
    public ushort latched_count;
    public byte count_latched;
    public byte status_latched;
    public byte status;
    public byte read_state;
    public byte write_state;
    public byte write_latch;
    public byte rw_mode;
    public byte mode;
    public byte bcd;
    public byte gate;
    public long count_load_time;
}

/// <summary>KVM_GET_PIT, KVM_SET_PIT: the older form of <see cref="kvm_pit_state2"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pit_state
{
    public PitChannels channels;
}

/// <summary>KVM_GET_PIT2, KVM_SET_PIT2. [KVM 4.72]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_pit_state2
{
    public PitChannels channels;
    public uint flags;
    public U32x9 reserved;
}

/// <summary>KVM_REINJECT_CONTROL: whether PIT ticks that the guest missed are delivered later. [KVM 4.99]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_reinject_control
{
    public byte pit_reinject;
    public U8x31 reserved;
}

/// <summary>The three counters.</summary>
[System.Runtime.CompilerServices.InlineArray(3)]
public struct PitChannels
{
    private kvm_pit_channel_state _element0;
}
