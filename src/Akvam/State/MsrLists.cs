using Akvam.Abi;
using Akvam.Cpu.Msr;

namespace Akvam;

/// <summary>The MSRs that KVM's lists name: the processor's, and those that belong to the APIC and the paravirtual clock.</summary>
internal static class MsrLists
{
    private static readonly uint[] s_state =
    [
        .. MsrList.State, MsrIndex.MSR_IA32_APICBASE, MsrIndex.MSR_IA32_TSC_DEADLINE, KvmPara.MSR_KVM_SYSTEM_TIME, KvmPara.MSR_KVM_WALL_CLOCK, KvmPara.MSR_KVM_SYSTEM_TIME_NEW,
        KvmPara.MSR_KVM_WALL_CLOCK_NEW, KvmPara.MSR_KVM_PV_EOI_EN, KvmPara.MSR_KVM_ASYNC_PF_EN, KvmPara.MSR_KVM_ASYNC_PF_INT, KvmPara.MSR_KVM_ASYNC_PF_ACK,
        .. HostStealTime.IsAvailable ? [KvmPara.MSR_KVM_STEAL_TIME] : Array.Empty<uint>(),
    ];

    public static uint[] State() => [.. s_state];

    public static uint[] Features() => MsrList.Features.ToArray();
}
