using System.Runtime.InteropServices;

namespace Akvam.Abi;

public partial struct kvm_run
{
    /// <summary>KVM_EXIT_UNKNOWN.</summary>
    public struct Hardware
    {
        public ulong hardware_exit_reason;
    }

    /// <summary>KVM_EXIT_FAIL_ENTRY: state that the processor cannot run with.</summary>
    public struct FailEntry
    {
        public ulong hardware_entry_failure_reason;
        public uint cpu;
    }

    /// <summary>KVM_EXIT_EXCEPTION; unused on x86.</summary>
    public struct GuestException
    {
        public uint exception;
        public uint error_code;
    }

    /// <summary>KVM_EXIT_IO: <c>count</c> items of <c>size</c> bytes at <c>data_offset</c> from the start of the run page.</summary>
    public struct Io
    {
        public byte direction;
        public byte size;
        public ushort port;
        public uint count;
        public ulong data_offset;
    }

    /// <summary>KVM_EXIT_DEBUG.</summary>
    public struct Debug
    {
        public kvm_debug_exit_arch arch;
    }

    /// <summary>KVM_EXIT_MMIO: <c>len</c> bytes of <c>data</c>, from the guest or to be filled in before the next KVM_RUN.</summary>
    public struct Mmio
    {
        public ulong phys_addr;
        public U8x8 data;
        public uint len;
        public byte is_write;
    }

    /// <summary>KVM_EXIT_HYPERCALL; <c>longmode</c> is bit 0 of what newer headers call <c>flags</c>, of 64 bits.</summary>
    public struct Hypercall
    {
        public ulong nr;
        public U64x6 args;
        public ulong ret;
        public uint longmode;
    }

    /// <summary>KVM_EXIT_TPR_ACCESS.</summary>
    public struct TprAccess
    {
        public ulong rip;
        public uint is_write;
        public uint pad;
    }

    /// <summary>KVM_EXIT_INTERNAL_ERROR: the first <c>ndata</c> of <c>data</c> count.</summary>
    public struct Internal
    {
        public uint suberror;
        public uint ndata;
        public U64x16 data;
    }

    /// <summary>KVM_EXIT_INTERNAL_ERROR with KVM_INTERNAL_ERROR_EMULATION: the bytes that could not be executed.</summary>
    public struct EmulationFailure
    {
        public uint suberror;
        public uint ndata;
        public ulong flags;
        public byte insn_size;
        public U8x15 insn_bytes;
    }

    /// <summary>KVM_EXIT_SYSTEM_EVENT; <c>flags</c> is the older name of the first word of <c>data</c>.</summary>
    [StructLayout(LayoutKind.Explicit)]
    public struct SystemEvent
    {
        [FieldOffset(0)]
        public uint type;
        [FieldOffset(4)]
        public uint ndata;
        [FieldOffset(8)]
        public ulong flags;
        [FieldOffset(8)]
        public U64x16 data;
    }

    /// <summary>KVM_EXIT_IOAPIC_EOI: the vector that a guest with a user-space IOAPIC has ended.</summary>
    public struct Eoi
    {
        public byte vector;
    }

    /// <summary>KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR: the client sets <c>error</c> for #GP, or <c>data</c> of a read.</summary>
    public struct Msr
    {
        public byte error;
        public U8x7 pad;
        public uint reason;
        public uint index;
        public ulong data;
    }

    /// <summary>KVM_EXIT_NOTIFY.</summary>
    public struct Notify
    {
        public uint flags;
    }

    /// <summary>KVM_EXIT_MEMORY_FAULT.</summary>
    public struct MemoryFault
    {
        public ulong flags;
        public ulong gpa;
        public ulong size;
    }
}
