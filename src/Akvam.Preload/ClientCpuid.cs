using System.Runtime.Intrinsics.X86;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>What a client finds out with the CPUID instruction, and must not differ from what it is told.</summary>
internal static class ClientCpuid
{
    private const uint XsaveLeaf = 0xD, PkruIndex = 9;

    /// <summary>
    /// Guests can have PKU: a client may take the place of PKRU in the XSAVE area from the CPUID instruction, as QEMU does, and that is Akvam's only if the host has it
    /// there, or if CPUID faults and the C library answers it.
    /// </summary>
    public static bool SeesPkru()
    {
        using var kvm = Kvm.Open();
        kvm_cpuid_entry2 ours = Array.Find(kvm.GetSupportedCpuid(), e => e.function == XsaveLeaf && e.index == PkruIndex);
        (int size, int offset, _, _) = X86Base.IsSupported ? X86Base.CpuId((int)XsaveLeaf, (int)PkruIndex) : default;
        return (uint)size == ours.eax && (uint)offset == ours.ebx;
    }
}
