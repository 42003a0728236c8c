using Akvam.Abi;

namespace Akvam;

/// <content>What the system says of itself besides capabilities.</content>
public sealed partial class Kvm
{
    /// <summary>KVM_HAS_DEVICE_ATTR on the system: whether <see cref="GetDeviceAttr"/> answers. [KVM 4.81]</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) => group == 0 && attribute == KvmState.KVM_X86_XCOMP_GUEST_SUPP;

    /// <summary>KVM_GET_DEVICE_ATTR on the system. KVM_X86_XCOMP_GUEST_SUPP: the bits of XCR0 that a guest may be offered. [KVM 4.80]</summary>
    /// <exception cref="KvmException">ENXIO: no such attribute.</exception>
    public ulong GetDeviceAttr(uint group, ulong attribute)
    {
        if (!HasDeviceAttr(group, attribute))
        {
            throw new KvmException(Errno.ENXIO, $"attribute {attribute} of group {group}");
        }

        foreach (ref readonly kvm_cpuid_entry2 leaf in GetSupportedCpuid().AsSpan())
        {
            if (leaf.function == XsaveLeaf && leaf.index == 0)
            {
                return ((ulong)leaf.edx << 32) | leaf.eax;
            }
        }

        return 0;
    }

    /// <summary>KVM_GET_EMULATED_CPUID: features that work although the host may lack them: MOVBE and RDPID, as with the kernel's emulator. [KVM 4.88]</summary>
    public kvm_cpuid_entry2[] GetEmulatedCpuid() =>
    [
        new() { function = 0, eax = ExtendedFeatures },
        new() { function = 1, ecx = Movbe },
        new() { function = ExtendedFeatures, flags = KvmState.KVM_CPUID_FLAG_SIGNIFCANT_INDEX, ecx = Rdpid },
    ];

    private const uint ExtendedFeatures = 7, XsaveLeaf = 0xD;
    private const uint Movbe = 1 << 22, Rdpid = 1 << 22;
}
