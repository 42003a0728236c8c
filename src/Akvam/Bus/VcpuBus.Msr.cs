using Akvam.Abi;
using Akvam.Cpu;
using Akvam.Devices;

namespace Akvam;

/// <content>MSRs that belong to the APIC and to the paravirtual clock; the processor keeps all others.</content>
internal sealed unsafe partial class VcpuBus
{
    private const uint MSR_IA32_APICBASE = 0x1B;
    private const uint MSR_IA32_TSC_DEADLINE = 0x6E0;

    /// <summary>The access is the client's, not the guest's: any valid state may follow any other.</summary>
    public bool HostAccess { get; set; }

    public MsrAccess ReadMsr(uint index, out ulong value)
    {
        value = 0;
        switch (index)
        {
            case var _ when !HasMsr(index):
                return MsrAccess.Fault;
            case MSR_IA32_APICBASE:
                value = ApicBase;
                return MsrAccess.Done;
            case MSR_IA32_TSC_DEADLINE:
                value = Lapic?.TscDeadline ?? 0;
                return Lapic is not null || HostAccess ? MsrAccess.Done : MsrAccess.Fault;
            case >= Lapic.FirstMsr and <= Lapic.LastMsr:
                SettleMemory();
                return Lapic is { } lapic && lapic.TryReadMsr(index, out value) ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_SYSTEM_TIME:
            case KvmPara.MSR_KVM_SYSTEM_TIME_NEW:
                value = _systemTimeMsr;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_STEAL_TIME when _vm.HasStealTime:
                value = _stealTimeMsr;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_WALL_CLOCK:
            case KvmPara.MSR_KVM_WALL_CLOCK_NEW:
                value = _wallClockMsr;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_PV_EOI_EN:
                value = _quickEoiMsr;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_ASYNC_PF_EN:
                value = _asyncFaultsMsr;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_ASYNC_PF_INT:
                value = _asyncFaultsVector;
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_ASYNC_PF_ACK:
                return MsrAccess.Done;
            default:
                return MsrAccess.Fault;
        }
    }

    public MsrAccess WriteMsr(uint index, ulong value)
    {
        switch (index)
        {
            case var _ when !HasMsr(index):
                return MsrAccess.Fault;
            case MSR_IA32_APICBASE:
                return WriteApicBase(value) ? MsrAccess.Done : MsrAccess.Fault;
            case MSR_IA32_TSC_DEADLINE:
                Lapic?.WriteTscDeadline(value);
                return Lapic is not null || HostAccess ? MsrAccess.Done : MsrAccess.Fault;
            case >= Lapic.FirstMsr and <= Lapic.LastMsr:
                SettleMemory();
                bool written = Lapic is { } lapic && lapic.TryWriteMsr(index, value);
                ShowPriority();
                return written ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_SYSTEM_TIME:
            case KvmPara.MSR_KVM_SYSTEM_TIME_NEW:
                _systemTimeMsr = value;
                UpdateClock();
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_STEAL_TIME:
                return SetStealTime(value) ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_WALL_CLOCK:
            case KvmPara.MSR_KVM_WALL_CLOCK_NEW:
                WriteWallClock(value);
                return MsrAccess.Done;
            case KvmPara.MSR_KVM_PV_EOI_EN:
                return SetQuickEoi(value) ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_ASYNC_PF_EN:
                return SetAsyncFaults(value) ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_ASYNC_PF_INT:
                return SetAsyncFaultsVector(value) ? MsrAccess.Done : MsrAccess.Fault;
            case KvmPara.MSR_KVM_ASYNC_PF_ACK:
                return MsrAccess.Done;
            default:
                return MsrAccess.Fault;
        }
    }

    private bool WriteApicBase(ulong value)
    {
        if (Lapic is { } lapic)
        {
            return lapic.TrySetBase(value, HostAccess);
        }

        _apicBase = value;
        return true;
    }
}
