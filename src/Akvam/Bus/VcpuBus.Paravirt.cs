using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>What the guest gets because it knows that it runs on KVM. [KVM cpuid.rst] [KVM hypercalls.rst]</content>
internal sealed unsafe partial class VcpuBus
{
    /// <summary>KVM_CAP_ENFORCE_PV_FEATURE_CPUID: what CPUID does not announce is not there.</summary>
    public bool EnforcesFeatures { get; set; }

    /// <summary>KVM_ENOSYS for what is not there; at CPL above 0 every call answers EPERM. Outside 64-bit mode registers are 32 bits wide.</summary>
    public bool Hypercall(Processor processor)
    {
        CpuState* s = processor.State;
        _vcpu.CountHypercall();
        bool wide = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;
        ulong mask = wide ? ulong.MaxValue : uint.MaxValue;
        long result = s->Cpl != 0 ? -(long)Errno.EPERM : Call(s, s->Gpr[Register.Rax] & mask, wide);
        s->Gpr[Register.Rax] = (ulong)result & mask;
        return true;
    }

    private long Call(CpuState* s, ulong number, bool wide)
    {
        switch (number)
        {
            case KvmPara.KVM_HC_VAPIC_POLL_IRQ:
                // The guest lowered its copy, below a request that it saw.
                SettleMemory();
                return 0;
            case KvmPara.KVM_HC_SEND_IPI when HasFeature(KvmPara.KVM_FEATURE_PV_SEND_IPI) && Lapic is not null:
                return SendIpis(s, wide);
            case KvmPara.KVM_HC_SCHED_YIELD when HasFeature(KvmPara.KVM_FEATURE_PV_SCHED_YIELD):
                // The vCPU that the guest waits for may be one that the host does not run.
                Thread.Yield();
                return 0;
            default:
                return -KvmPara.KVM_ENOSYS;
        }
    }

    private bool HasFeature(int bit)
    {
        if (!EnforcesFeatures)
        {
            return true;
        }

        foreach (ref readonly Cpu.Cpuid.CpuidEntry e in _processor.Cpuid.Entries)
        {
            if (e.Function == KvmPara.KVM_CPUID_FEATURES)
            {
                return (e.Eax & (1u << bit)) != 0;
            }
        }

        return false;
    }

    /// <summary>The MSR belongs to a service that the guest was offered.</summary>
    private bool HasMsr(uint index) => index switch
    {
        KvmPara.MSR_KVM_SYSTEM_TIME or KvmPara.MSR_KVM_WALL_CLOCK => HasFeature(KvmPara.KVM_FEATURE_CLOCKSOURCE),
        KvmPara.MSR_KVM_SYSTEM_TIME_NEW or KvmPara.MSR_KVM_WALL_CLOCK_NEW => HasFeature(KvmPara.KVM_FEATURE_CLOCKSOURCE2),
        KvmPara.MSR_KVM_STEAL_TIME => HasFeature(KvmPara.KVM_FEATURE_STEAL_TIME),
        KvmPara.MSR_KVM_PV_EOI_EN => HasFeature(KvmPara.KVM_FEATURE_PV_EOI),
        KvmPara.MSR_KVM_ASYNC_PF_EN => HasFeature(KvmPara.KVM_FEATURE_ASYNC_PF),
        KvmPara.MSR_KVM_ASYNC_PF_INT or KvmPara.MSR_KVM_ASYNC_PF_ACK => HasFeature(KvmPara.KVM_FEATURE_ASYNC_PF_INT),
        _ => true,
    };
}
