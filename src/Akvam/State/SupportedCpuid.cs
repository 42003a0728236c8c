using System.Buffers.Binary;
using System.Text;
using Akvam.Abi;
using Akvam.Cpu.Cpuid;

namespace Akvam;

/// <summary>KVM_GET_SUPPORTED_CPUID: the processor's leaves and the hypervisor's own.</summary>
internal static class SupportedCpuid
{
    /// <summary>What a guest finds at KVM_CPUID_FEATURES; each of them works.</summary>
    private const uint Features = 1u << KvmPara.KVM_FEATURE_CLOCKSOURCE | 1u << KvmPara.KVM_FEATURE_CLOCKSOURCE2 | 1u << KvmPara.KVM_FEATURE_NOP_IO_DELAY
        | 1u << KvmPara.KVM_FEATURE_PV_EOI | 1u << KvmPara.KVM_FEATURE_ASYNC_PF | 1u << KvmPara.KVM_FEATURE_ASYNC_PF_INT | 1u << KvmPara.KVM_FEATURE_PV_SEND_IPI
        | 1u << KvmPara.KVM_FEATURE_PV_SCHED_YIELD | 1u << KvmPara.KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;

    private static uint HostFeatures => HostStealTime.IsAvailable ? 1u << KvmPara.KVM_FEATURE_STEAL_TIME : 0;

    public static kvm_cpuid_entry2[] Get(ReadOnlySpan<CpuidEntry> processor)
    {
        var entries = new kvm_cpuid_entry2[processor.Length + 2];
        for (int i = 0; i < processor.Length; i++)
        {
            entries[i] = ToAbi(in processor[i]);
        }

        Span<byte> signature = stackalloc byte[12];
        Encoding.ASCII.GetBytes(KvmPara.KVM_SIGNATURE, signature);
        entries[^2] = new kvm_cpuid_entry2
        {
            function = KvmPara.KVM_CPUID_SIGNATURE,
            eax = KvmPara.KVM_CPUID_FEATURES,
            ebx = BinaryPrimitives.ReadUInt32LittleEndian(signature),
            ecx = BinaryPrimitives.ReadUInt32LittleEndian(signature[4..]),
            edx = BinaryPrimitives.ReadUInt32LittleEndian(signature[8..]),
        };
        entries[^1] = new kvm_cpuid_entry2 { function = KvmPara.KVM_CPUID_FEATURES, eax = Features | HostFeatures };
        return entries;
    }

    public static kvm_cpuid_entry2 ToAbi(in CpuidEntry e) =>
        new() { function = e.Function, index = e.Index, flags = e.Flags, eax = e.Eax, ebx = e.Ebx, ecx = e.Ecx, edx = e.Edx };
}
