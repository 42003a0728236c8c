using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>KVM_EXIT_HYPERV; Akvam offers no Hyper-V interface, so this only keeps the place in <see cref="kvm_run"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_hyperv_exit
{
    public uint type;
    public uint pad1;
    public Kind u;

    /// <summary>What <c>type</c> says it is.</summary>
    [StructLayout(LayoutKind.Explicit)]
    public struct Kind
    {
        [FieldOffset(0)]
        public Synic synic;
        [FieldOffset(0)]
        public Hcall hcall;
        [FieldOffset(0)]
        public Syndbg syndbg;
    }

    /// <summary>KVM_EXIT_HYPERV_SYNIC.</summary>
    public struct Synic
    {
        public uint msr;
        public uint pad2;
        public ulong control;
        public ulong evt_page;
        public ulong msg_page;
    }

    /// <summary>KVM_EXIT_HYPERV_HCALL.</summary>
    public struct Hcall
    {
        public ulong input;
        public ulong result;
        public U64x2 @params;
    }

    /// <summary>KVM_EXIT_HYPERV_SYNDBG.</summary>
    public struct Syndbg
    {
        public uint msr;
        public uint pad2;
        public ulong control;
        public ulong status;
        public ulong send_page;
        public ulong recv_page;
        public ulong pending_page;
    }
}

/// <summary>KVM_EXIT_XEN; Akvam offers no Xen interface, so this only keeps the place in <see cref="kvm_run"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_xen_exit
{
    public uint type;
    public Kind u;

    /// <summary>What <c>type</c> says it is.</summary>
    public struct Kind
    {
        public Hcall hcall;
    }

    /// <summary>KVM_EXIT_XEN_HCALL.</summary>
    public struct Hcall
    {
        public uint longmode;
        public uint cpl;
        public ulong input;
        public ulong result;
        public U64x6 @params;
    }
}

/// <summary>KVM_XEN_HVM_CONFIG; known only so that the request is refused by name.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_xen_hvm_config
{
    public uint flags;
    public uint msr;
    public ulong blob_addr_32;
    public ulong blob_addr_64;
    public byte blob_size_32;
    public byte blob_size_64;
    public U8x30 pad2;
}

/// <summary>KVM_HYPERV_EVENTFD; known only so that the request is refused by name.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_hyperv_eventfd
{
    public uint conn_id;
    public int fd;
    public uint flags;
    public U32x3 padding;
}
