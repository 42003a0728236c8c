namespace Akvam;

/// <summary>MSRs of KVM_X86_SET_MSR_FILTER: <see cref="Abi.kvm_msr_filter_range"/> with its bitmap at hand. [KVM 4.97]</summary>
/// <param name="Flags">KVM_MSR_FILTER_READ, KVM_MSR_FILTER_WRITE: the accesses that the bitmap decides.</param>
/// <param name="First">The first MSR.</param>
/// <param name="Count">How many; 0: the range is unused.</param>
/// <param name="Bitmap">One bit an MSR, 1 allows: at least <paramref name="Count"/> bits in whole 64-bit words, little endian.</param>
public readonly record struct MsrFilterRange(uint Flags, uint First, uint Count, ReadOnlyMemory<byte> Bitmap);
