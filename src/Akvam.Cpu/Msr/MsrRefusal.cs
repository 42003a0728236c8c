namespace Akvam.Cpu.Msr;

/// <summary>Why an access of the guest to an MSR does not happen, as bits. [KVM 7.21]</summary>
[Flags]
public enum MsrRefusal
{
    None = 0,

    /// <summary>The MSR does not take this, or not from this guest.</summary>
    Invalid = 1 << 0,

    /// <summary>There is no such MSR.</summary>
    Unknown = 1 << 1,

    /// <summary>User space forbids it.</summary>
    Filtered = 1 << 2,
}
