using System.Runtime.Intrinsics.X86;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>What a client is told the processor supports.</summary>
internal static class ClientCpuid
{
    private const uint Pku = 1 << 3, XsaveLeaf = 0xD, PkruIndex = 9, XsaveBaseSize = 576;

    /// <summary>
    /// <paramref name="supported"/>, without PKU where the client would get it wrong: it may take the place of PKRU in the XSAVE area from the CPUID instruction, as QEMU
    /// does, and that is Akvam's only if the host has it there, or if CPUID faults and the C library answers it.
    /// </summary>
    public static kvm_cpuid_entry2[] Supported(kvm_cpuid_entry2[] supported)
    {
        kvm_cpuid_entry2 ours = Array.Find(supported, IsPkru);
        (int size, int offset, _, _) = X86Base.IsSupported ? X86Base.CpuId((int)XsaveLeaf, (int)PkruIndex) : default;
        return (uint)size == ours.eax && (uint)offset == ours.ebx ? supported : WithoutPku(supported);
    }

    private static bool IsPkru(kvm_cpuid_entry2 e) => e.function == XsaveLeaf && e.index == PkruIndex;

    private static kvm_cpuid_entry2[] WithoutPku(kvm_cpuid_entry2[] supported)
    {
        kvm_cpuid_entry2[] rest = [.. supported.Where(e => !IsPkru(e))];
        uint end = rest.Where(e => e.function == XsaveLeaf && e.index >= 2).Select(e => e.ebx + e.eax).Append(XsaveBaseSize).Max();
        foreach (ref kvm_cpuid_entry2 e in rest.AsSpan())
        {
            switch (e.function)
            {
                case 7 when e.index == 0:
                    e.ecx &= ~Pku;
                    break;
                case XsaveLeaf when e.index == 0:
                    e.eax &= ~(1u << (int)PkruIndex);
                    e.ecx = end;
                    break;
            }
        }

        return rest;
    }
}
