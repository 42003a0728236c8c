using System.Runtime.Intrinsics.X86;
using Akvam.Abi;
using Akvam.Cpu.Cpuid;

namespace Akvam.Preload;

/// <summary>What a client is told the processor supports.</summary>
internal static class ClientCpuid
{
    private const int Pku = 1 << 3;
    private const uint XsaveLeaf = 0xD, PkruIndex = 9;

    /// <summary>
    /// <paramref name="supported"/>, without PKU where the client would get it wrong: it may take the place of PKRU in the XSAVE area from the CPUID instruction, as QEMU
    /// does, and that is Akvam's only if the host has it there, or if CPUID faults and the C library answers it.
    /// </summary>
    public static kvm_cpuid_entry2[] Supported(kvm_cpuid_entry2[] supported)
    {
        (int size, int offset, _, _) = X86Base.IsSupported ? X86Base.CpuId((int)XsaveLeaf, (int)PkruIndex) : default;
        return size == XsaveLayout.PkruSize && offset == XsaveLayout.PkruOffset ? supported : WithoutPku(supported);
    }

    private static kvm_cpuid_entry2[] WithoutPku(kvm_cpuid_entry2[] supported)
    {
        kvm_cpuid_entry2[] rest = [.. supported.Where(e => !(e.function == XsaveLeaf && e.index == PkruIndex))];
        foreach (ref kvm_cpuid_entry2 e in rest.AsSpan())
        {
            switch (e.function)
            {
                case 7 when e.index == 0:
                    e.ecx &= ~(uint)Pku;
                    break;
                case XsaveLeaf when e.index == 0:
                    e.eax &= ~(uint)XsaveLayout.Pkru;
                    e.ecx = XsaveLayout.StandardSize(e.eax);
                    break;
            }
        }

        return rest;
    }
}
