using System.Runtime.InteropServices;

namespace Akvam.Abi;

/// <summary>Debug registers that the client wants in force while it debugs; entries 4 and 5 are unused.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_guest_debug_arch
{
    public U64x8 debugreg;
}

/// <summary>KVM_SET_GUEST_DEBUG: what the client wants to be told of through KVM_EXIT_DEBUG. [KVM 4.87]</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_guest_debug
{
    public uint control;
    public uint pad;
    public kvm_guest_debug_arch arch;
}

/// <summary>KVM_EXIT_DEBUG: the exception (#DB or #BP) and the state at it.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_debug_exit_arch
{
    public uint exception;
    public uint pad;
    public ulong pc;
    public ulong dr6;
    public ulong dr7;
}
