using Akvam.Abi;

namespace Akvam.Machine;

/// <summary>One exit of a processor, kept for reports.</summary>
/// <param name="Reason">KVM_EXIT_*.</param>
/// <param name="Address">The port or the guest-physical address.</param>
/// <param name="Size">Bytes of the access.</param>
/// <param name="IsWrite">Whether it was a write.</param>
/// <param name="Value">What was written or read.</param>
internal readonly record struct ExitRecord(uint Reason, ulong Address, int Size, bool IsWrite, ulong Value)
{
    /// <summary>The name of an exit reason, for traces.</summary>
    public static string Name(uint reason) => reason switch
    {
        KvmExit.KVM_EXIT_IO => "KVM_EXIT_IO",
        KvmExit.KVM_EXIT_MMIO => "KVM_EXIT_MMIO",
        KvmExit.KVM_EXIT_HLT => "KVM_EXIT_HLT",
        KvmExit.KVM_EXIT_SHUTDOWN => "KVM_EXIT_SHUTDOWN",
        KvmExit.KVM_EXIT_INTERNAL_ERROR => "KVM_EXIT_INTERNAL_ERROR",
        KvmExit.KVM_EXIT_FAIL_ENTRY => "KVM_EXIT_FAIL_ENTRY",
        KvmExit.KVM_EXIT_INTR => "KVM_EXIT_INTR",
        _ => "KVM_EXIT_UNKNOWN",
    };

    public override string ToString() => Reason switch
    {
        KvmExit.KVM_EXIT_IO => $"{(IsWrite ? "out" : "in")} {Address:x} size {Size} value {Value:x}",
        KvmExit.KVM_EXIT_MMIO => $"mmio {(IsWrite ? "write" : "read")} {Address:x} size {Size} value {Value:x}",
        KvmExit.KVM_EXIT_HLT => "hlt",
        KvmExit.KVM_EXIT_SHUTDOWN => "shutdown",
        KvmExit.KVM_EXIT_INTERNAL_ERROR => "internal error",
        KvmExit.KVM_EXIT_FAIL_ENTRY => "failed entry",
        KvmExit.KVM_EXIT_INTR => "kicked",
        _ => $"exit reason {Reason}",
    };
}
