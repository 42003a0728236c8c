namespace Akvam.Cpu.Cpuid;

/// <summary>One leaf of the guest's CPUID table, as KVM_SET_CPUID2 gives it. [KVM 4.20]</summary>
public struct CpuidEntry
{
    public uint Function;
    public uint Index;

    /// <summary>KVM_CPUID_FLAG_*: bit 0 means that <see cref="Index"/> (ECX) selects the leaf.</summary>
    public uint Flags;

    public uint Eax;
    public uint Ebx;
    public uint Ecx;
    public uint Edx;

    public const uint KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1;

    public readonly bool HasIndex => (Flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0;
}
