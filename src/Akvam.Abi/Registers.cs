using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>KVM_GET_REGS, KVM_SET_REGS: the general registers, RIP and RFLAGS. [KVM 4.11]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_regs
{
    public ulong rax;
    public ulong rbx;
    public ulong rcx;
    public ulong rdx;
    public ulong rsi;
    public ulong rdi;
    public ulong rsp;
    public ulong rbp;
    public ulong r8;
    public ulong r9;
    public ulong r10;
    public ulong r11;
    public ulong r12;
    public ulong r13;
    public ulong r14;
    public ulong r15;
    public ulong rip;
    public ulong rflags;
}

/// <summary>A segment register with its hidden part; <c>limit</c> is in bytes, with the granularity <c>g</c> already applied.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_segment
{
    public ulong @base;
    public uint limit;
    public ushort selector;
    public byte type;
    public byte present;
    public byte dpl;
    public byte db;
    public byte s;
    public byte l;
    public byte g;
    public byte avl;
    public byte unusable;
    public byte padding;
}

/// <summary>GDTR or IDTR.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_dtable
{
    public ulong @base;
    public ushort limit;
    public U16x3 padding;
}

/// <summary>
/// KVM_GET_SREGS, KVM_SET_SREGS: segments, tables, control registers, EFER, the APIC base, and in <c>interrupt_bitmap</c> at most one external
/// interrupt that is accepted but not yet delivered. [KVM 4.13]
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_sregs
{
    public kvm_segment cs;
    public kvm_segment ds;
    public kvm_segment es;
    public kvm_segment fs;
    public kvm_segment gs;
    public kvm_segment ss;
    public kvm_segment tr;
    public kvm_segment ldt;
    public kvm_dtable gdt;
    public kvm_dtable idt;
    public ulong cr0;
    public ulong cr2;
    public ulong cr3;
    public ulong cr4;
    public ulong cr8;
    public ulong efer;
    public ulong apic_base;
    public U64x4 interrupt_bitmap;
}

/// <summary>KVM_GET_SREGS2, KVM_SET_SREGS2: as <see cref="kvm_sregs"/>, with the PDPTRs of PAE paging in place of the bitmap. [KVM 4.131]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_sregs2
{
    public kvm_segment cs;
    public kvm_segment ds;
    public kvm_segment es;
    public kvm_segment fs;
    public kvm_segment gs;
    public kvm_segment ss;
    public kvm_segment tr;
    public kvm_segment ldt;
    public kvm_dtable gdt;
    public kvm_dtable idt;
    public ulong cr0;
    public ulong cr2;
    public ulong cr3;
    public ulong cr4;
    public ulong cr8;
    public ulong efer;
    public ulong apic_base;
    public ulong flags;
    public U64x4 pdptrs;
}

/// <summary>KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS: DR0 to DR3, DR6 and DR7. [KVM 4.33]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_debugregs
{
    public U64x4 db;
    public ulong dr6;
    public ulong dr7;
    public ulong flags;
    public U64x9 reserved;
}
