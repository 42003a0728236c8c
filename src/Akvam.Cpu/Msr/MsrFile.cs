using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using static Akvam.Cpu.Msr.MsrIndex;

namespace Akvam.Cpu.Msr;

/// <summary>
/// The MSRs of one processor: RDMSR and WRMSR, and KVM_GET_MSRS and KVM_SET_MSRS, which may do more ("host initiated"). What is not here the bus is asked for.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public sealed unsafe class MsrFile
{
    private const ulong MiscEnableFixed = (1 << 11) | (1 << 12);
    public const ulong MiscEnableMwait = 1 << 18;
    private const ulong MiscEnableDefault = MiscEnableFixed | 1;
    private const ulong HwcrMcStatusWrEn = 1 << 18, HwcrTscFreqSel = 1 << 24;
    private const ulong VmCrSvmDis = 1 << 4, DebugCtlBtf = 1 << 1;

    private readonly MemoryTypes _types = new();
    private ulong _tscAdjust, _specCtrl, _powerCtl, _debugCtl, _miscFeatures, _vmCr, _hsave;
    private ulong _hwcr = HwcrTscFreqSel;
    private ulong _platformInfo = 1ul << 31;
    private ulong _microcode = 0x0A00_11D3;

    /// <summary>The machine-check banks.</summary>
    public MachineCheckBanks MachineCheck { get; } = new();

    /// <summary>IA32_MISC_ENABLE.</summary>
    public ulong MiscEnable { get; private set; } = MiscEnableDefault;

    /// <summary>The guest may read MSR_PLATFORM_INFO (KVM_CAP_MSR_PLATFORM_INFO).</summary>
    public bool GuestReadsPlatformInfo { get; set; } = true;

    /// <summary>CPUID raises #GP at CPL above 0 (MISC_FEATURES_ENABLES bit 0).</summary>
    public bool CpuidFaulting => (_miscFeatures & 1) != 0;

    /// <summary>SVM: physical address of the host save area.</summary>
    public ulong HostSavePa => _hsave;

    /// <summary>The values after RESET, of all that <see cref="CpuState"/> does not hold. Machine-check banks keep what they report. [APM2 14.1.3]</summary>
    internal void Reset()
    {
        _tscAdjust = _specCtrl = _powerCtl = _debugCtl = _miscFeatures = _vmCr = _hsave = 0;
        _hwcr = HwcrTscFreqSel;
        MiscEnable = MiscEnableDefault;
        _types.Reset();
    }

    /// <summary>There is such an MSR, though it may refuse the guest what it asks. Those of the x2APIC count whatever mode the APIC is in.</summary>
    public bool Exists(CpuState* s, uint index) => index is >= 0x800 and <= 0x8FF or MSR_IA32_PRED_CMD || Read(s, index, out _, hostInitiated: true) == MsrAccess.Done;

    public MsrAccess Read(CpuState* s, uint index, out ulong value, bool hostInitiated = false)
    {
        Processor p = Processor.Of(s);
        GuestCpuid c = p.Cpuid;
        value = 0;
        bool host = hostInitiated;
        switch (index)
        {
            case MSR_EFER:
                value = s->Efer;
                return MsrAccess.Done;
            case MSR_STAR when c.Allows(Feature.Syscall) || host:
                value = s->Star;
                return MsrAccess.Done;
            case MSR_LSTAR when c.Allows(Feature.Lm) || host:
                value = s->Lstar;
                return MsrAccess.Done;
            case MSR_CSTAR when c.Allows(Feature.Lm) || host:
                value = s->Cstar;
                return MsrAccess.Done;
            case MSR_SYSCALL_MASK when c.Allows(Feature.Lm) || host:
                value = s->Sfmask;
                return MsrAccess.Done;
            case MSR_FS_BASE when c.Allows(Feature.Lm) || host:
                value = s->Fs.Base;
                return MsrAccess.Done;
            case MSR_GS_BASE when c.Allows(Feature.Lm) || host:
                value = s->Gs.Base;
                return MsrAccess.Done;
            case MSR_KERNEL_GS_BASE when c.Allows(Feature.Lm) || host:
                value = s->KernelGsBase;
                return MsrAccess.Done;
            case MSR_TSC_AUX when c.Allows(Feature.Rdtscp) || c.Allows(Feature.Rdpid) || host:
                value = s->TscAux;
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_CS:
                value = s->SysenterCs;
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_ESP:
                value = s->SysenterEsp;
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_EIP:
                value = s->SysenterEip;
                return MsrAccess.Done;
            case MSR_IA32_TSC:
                value = p.Bus.ReadTsc() + s->TscOffset - (host ? p.Nested.TscOffset : 0);
                return MsrAccess.Done;
            case MSR_IA32_TSC_ADJUST when c.Allows(Feature.TscAdjust) || host:
                value = _tscAdjust;
                return MsrAccess.Done;
            case MSR_IA32_CR_PAT:
                value = s->Pat;
                return MsrAccess.Done;
            case MSR_MTRRcap:
                value = MemoryTypes.Capabilities;
                return MsrAccess.Done;
            case MSR_IA32_SMBASE when host:
                value = s->Smbase;
                return MsrAccess.Done;
            case MSR_SMI_COUNT:
                value = s->SmiCount;
                return MsrAccess.Done;
            case MSR_IA32_MISC_ENABLE:
                value = MiscEnable;
                return MsrAccess.Done;
            case MSR_IA32_SPEC_CTRL when HasSpecCtrl(c) || host:
                value = _specCtrl;
                return MsrAccess.Done;
            case MSR_IA32_XSS when c.Allows(Feature.XsaveS) || host:
                value = s->Xss;
                return MsrAccess.Done;
            case MSR_IA32_UCODE_REV:
                // AMD has the patch level in the low half, Intel in the high one; KVM hands out what user space set.
                value = _microcode;
                return MsrAccess.Done;
            case MSR_PLATFORM_INFO when GuestReadsPlatformInfo || host:
                value = _platformInfo;
                return MsrAccess.Done;
            case MSR_MISC_FEATURES_ENABLES:
                value = _miscFeatures;
                return MsrAccess.Done;
            case MSR_IA32_POWER_CTL:
                value = _powerCtl;
                return MsrAccess.Done;
            case MSR_IA32_DEBUGCTLMSR:
                value = _debugCtl | (s->StepsBranches != 0 ? DebugCtlBtf : 0);
                return MsrAccess.Done;
            case MSR_K7_HWCR:
                value = _hwcr;
                return MsrAccess.Done;
            case MSR_VM_CR:
                value = c.Allows(Feature.Svm) ? _vmCr : VmCrSvmDis;
                return MsrAccess.Done;
            case MSR_VM_HSAVE_PA when c.Allows(Feature.Svm) || host:
                value = _hsave;
                return MsrAccess.Done;
            case MSR_AMD64_DE_CFG:
                // LFENCE is serializing.
                value = 1 << 1;
                return MsrAccess.Done;
            case MSR_FSB_FREQ:
                value = 3;
                return MsrAccess.Done;
            case MSR_EBC_FREQUENCY_ID:
                value = 1 << 24;
                return MsrAccess.Done;
            case MSR_IA32_BBL_CR_CTL3:
                value = 0xBE70_2111;
                return MsrAccess.Done;
            case MSR_K7_CLK_CTL:
                value = 0x2000_0000;
                return MsrAccess.Done;
            case MSR_IA32_PERF_STATUS:
                // Current and maximum ratio of old parts, which only has to be non-zero.
                value = 1000 | (4ul << 40);
                return MsrAccess.Done;
            case var _ when MemoryTypes.IsMtrr(index):
                value = _types.Read(index);
                return MsrAccess.Done;
            case var _ when MachineCheck.TryRead(index, out value) || ReadsZero(index):
                return MsrAccess.Done;
            default:
                return Outcome(p.Bus.ReadMsr(index, out value), index, host);
        }
    }

    public MsrAccess Write(CpuState* s, uint index, ulong value, bool hostInitiated = false)
    {
        Processor p = Processor.Of(s);
        GuestCpuid c = p.Cpuid;
        bool host = hostInitiated;
        switch (index)
        {
            case MSR_EFER:
                return Done(host ? SetEferByHost(s, value) : ControlRegisters.TrySetEfer(s, value));
            case MSR_STAR when c.Allows(Feature.Syscall) || host:
                s->Star = value;
                return MsrAccess.Done;
            case MSR_LSTAR when c.Allows(Feature.Lm) || host:
                return SetAddress(c, ref s->Lstar, value);
            case MSR_CSTAR when c.Allows(Feature.Lm) || host:
                return SetAddress(c, ref s->Cstar, value);
            case MSR_SYSCALL_MASK when c.Allows(Feature.Lm) || host:
                s->Sfmask = value;
                return MsrAccess.Done;
            case MSR_FS_BASE when c.Allows(Feature.Lm) || host:
                return SetAddress(c, ref s->Fs.Base, value);
            case MSR_GS_BASE when c.Allows(Feature.Lm) || host:
                return SetAddress(c, ref s->Gs.Base, value);
            case MSR_KERNEL_GS_BASE when c.Allows(Feature.Lm) || host:
                return SetAddress(c, ref s->KernelGsBase, value);
            case MSR_TSC_AUX when c.Allows(Feature.Rdtscp) || c.Allows(Feature.Rdpid) || host:
                if (!c.IsAmd && value >> 32 != 0)
                {
                    return MsrAccess.Fault;
                }

                s->TscAux = (uint)value;
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_CS:
                s->SysenterCs = value;
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_ESP:
                s->SysenterEsp = SysenterAddress(c, value);
                return MsrAccess.Done;
            case MSR_IA32_SYSENTER_EIP:
                s->SysenterEip = SysenterAddress(c, value);
                return MsrAccess.Done;
            case MSR_IA32_TSC:
                SetTsc(s, value, host);
                return MsrAccess.Done;
            case MSR_IA32_TSC_ADJUST when c.Allows(Feature.TscAdjust) || host:
                s->TscOffset += host ? 0 : value - _tscAdjust;
                _tscAdjust = value;
                p.Bus.TscChanged();
                return MsrAccess.Done;
            case MSR_IA32_CR_PAT:
                if (!MemoryTypes.IsValidPat(value))
                {
                    return MsrAccess.Fault;
                }

                s->Pat = value;
                return MsrAccess.Done;
            case MSR_IA32_SMBASE when host:
                s->Smbase = (uint)value;
                return MsrAccess.Done;
            case MSR_SMI_COUNT when host:
                s->SmiCount = value;
                return MsrAccess.Done;
            case MSR_IA32_MISC_ENABLE:
                if ((p.Quirks & ProcessorQuirks.MiscEnableNoMwait) == 0 && ((value ^ MiscEnable) & MiscEnableMwait) != 0 && !c.Allows(Feature.Sse3))
                {
                    return MsrAccess.Fault;
                }

                MiscEnable = host ? value : (value & ~MiscEnableFixed) | (MiscEnable & MiscEnableFixed);
                return MsrAccess.Done;
            case MSR_IA32_SPEC_CTRL when HasSpecCtrl(c) || host:
                if ((value & ~0x7ul) != 0)
                {
                    return MsrAccess.Fault;
                }

                _specCtrl = value;
                return MsrAccess.Done;
            case MSR_IA32_PRED_CMD when c.Allows(Feature.Ibpb) || c.Allows(Feature.SpecCtrl) || host:
                // There are no predictors to flush.
                return Done((value & ~1ul) == 0);
            case MSR_IA32_XSS when c.Allows(Feature.XsaveS) || host:
                return Done(ControlRegisters.TrySetXss(s, value));
            case MSR_IA32_UCODE_REV:
                // A guest clears it before it reads the revision; the revision stays. [SDM3 10.11.7]
                _microcode = host ? value : _microcode;
                return MsrAccess.Done;
            case MSR_IA32_UCODE_WRITE or MSR_AMD64_PATCH_LOADER:
                return MsrAccess.Done;
            case MSR_PLATFORM_INFO when host:
                _platformInfo = value;
                return MsrAccess.Done;
            case MSR_MISC_FEATURES_ENABLES:
                if ((value & ~1ul) != 0 || (value != 0 && (_platformInfo & (1ul << 31)) == 0))
                {
                    return MsrAccess.Fault;
                }

                _miscFeatures = value;
                return MsrAccess.Done;
            case MSR_IA32_POWER_CTL:
                _powerCtl = value;
                return MsrAccess.Done;
            case MSR_IA32_DEBUGCTLMSR:
                if ((value & ~0x3Ful) != 0)
                {
                    return MsrAccess.Fault;
                }

                _debugCtl = value & ~DebugCtlBtf;
                s->StepsBranches = (value & DebugCtlBtf) != 0 ? (byte)1 : (byte)0;
                return MsrAccess.Done;
            case MSR_K7_HWCR:
                // Bits that firmware sets for real caches and TLBs are ignored. [APM2 3.2.10]
                value &= ~0x148ul;
                if ((value & ~(HwcrMcStatusWrEn | HwcrTscFreqSel)) != 0)
                {
                    return MsrAccess.Fault;
                }

                _hwcr = value;
                return MsrAccess.Done;
            case MSR_VM_CR when c.Allows(Feature.Svm) || host:
                return Done(SetVmCr(s, value));
            case MSR_VM_HSAVE_PA when c.Allows(Feature.Svm) || host:
                if ((value & (c.ReservedAddressBits | 0xFFF)) != 0 && !host)
                {
                    return MsrAccess.Fault;
                }

                _hsave = value & ~0xFFFul;
                return MsrAccess.Done;
            case MSR_AMD64_DE_CFG:
                return Done(value == 1 << 1);
            case var _ when MemoryTypes.IsMtrr(index):
                return Done(_types.TryWrite(index, value, c.ReservedAddressBits));
            case MSR_IA32_MCG_CAP:
                return MsrAccess.Fault;
            case var _ when MachineCheck.TryRead(index, out _):
                return Done(MachineCheck.TryWrite(index, value, host || (_hwcr & HwcrMcStatusWrEn) != 0));
            case var _ when ReadsZero(index):
                return MsrAccess.Done;
            default:
                return Outcome(p.Bus.WriteMsr(index, value), index, host && value == 0);
        }
    }

    /// <summary>User space may give 0 to, and reads 0 from, any listed MSR that this guest does not have.</summary>
    private static MsrAccess Outcome(MsrAccess access, uint index, bool zeroAllowed) =>
        access == MsrAccess.Fault && zeroAllowed && MsrList.State.Contains(index) ? MsrAccess.Done : access;

    private static MsrAccess Done(bool ok) => ok ? MsrAccess.Done : MsrAccess.Fault;

    private static bool HasSpecCtrl(GuestCpuid c) =>
        c.Allows(Feature.SpecCtrl) || c.Allows(Feature.Ibrs) || c.Allows(Feature.Stibp) || c.Allows(Feature.Ssbd);

    /// <summary>Addresses in MSRs are canonical for the widest paging mode the guest could use, whatever CR4.LA57 is now. [SDM3 4.5.2]</summary>
    private static MsrAccess SetAddress(GuestCpuid c, ref ulong register, ulong value)
    {
        if (!Canonical.Is(value, c.Allows(Feature.La57)))
        {
            return MsrAccess.Fault;
        }

        register = value;
        return MsrAccess.Done;
    }

    /// <summary>AMD keeps 32 bits, because SYSENTER does not exist in long mode there; Intel canonical addresses. [APM2 6.1.2]</summary>
    private static ulong SysenterAddress(GuestCpuid c, ulong value)
    {
        if (c.IsAmd)
        {
            return (uint)value;
        }

        int shift = c.Allows(Feature.La57) ? 7 : 16;
        return (ulong)((long)(value << shift) >> shift);
    }

    /// <summary>A guest's write moves TSC_ADJUST along; user space sets the clock alone. [SDM3 18.17.3]</summary>
    private void SetTsc(CpuState* s, ulong value, bool host)
    {
        // The clock that is set is L1's, whoever sets it.
        ulong offset = value - Processor.Of(s).Bus.ReadTsc() + Processor.Of(s).Nested.TscOffset;
        if (!host)
        {
            _tscAdjust += offset - s->TscOffset;
        }

        s->TscOffset = offset;
        Processor.Of(s).Bus.TscChanged();
    }

    private static bool SetEferByHost(CpuState* s, ulong value)
    {
        if (!ControlRegisters.IsValidEfer(s, value))
        {
            return false;
        }

        s->Efer = (value & ~Efer.LMA) | (s->Efer & Efer.LMA);
        ControlRegisters.Reloaded(s);
        return true;
    }

    /// <summary>VM_CR: SVMDIS cannot be cleared while LOCK is set, nor set while EFER.SVME is. [APM2 15.30.1]</summary>
    private bool SetVmCr(CpuState* s, ulong value)
    {
        const ulong Lock = 1 << 3, Valid = 0x1F;
        if ((value & ~Valid) != 0)
        {
            return false;
        }

        ulong kept = (_vmCr & VmCrSvmDis) != 0 ? Lock | VmCrSvmDis : 0;
        value = (value & ~kept) | (_vmCr & kept);
        if ((value & VmCrSvmDis) != 0 && (s->Efer & Efer.SVME) != 0)
        {
            return false;
        }

        _vmCr = value;
        return true;
    }

    /// <summary>Configuration and counters of real hardware that software looks at and that a virtual processor has nothing to say about.</summary>
    private static bool ReadsZero(uint index) => index is MSR_IA32_P5_MC_ADDR or MSR_IA32_P5_MC_TYPE or MSR_IA32_PLATFORM_ID or MSR_IA32_EBL_CR_POWERON
        or MSR_IA32_PERFCTR0 or MSR_IA32_PERFCTR1 or MSR_P6_EVNTSEL0 or MSR_P6_EVNTSEL1 or MSR_IA32_PERF_CTL
        or (>= MSR_IA32_LASTBRANCHFROMIP and <= MSR_IA32_LASTINTTOIP)
        or MSR_RAPL_POWER_UNIT or MSR_PKG_ENERGY_STATUS or MSR_DRAM_ENERGY_STATUS or MSR_PP0_ENERGY_STATUS or MSR_PP1_ENERGY_STATUS
        or (>= MSR_K7_EVNTSEL0 and <= MSR_K7_PERFCTR3) or MSR_AMD64_SYSCFG or (>= MSR_IORR0_BASE and <= MSR_K8_TOP_MEM1) or MSR_K8_TOP_MEM2
        or MSR_AMD64_NB_CFG or MSR_K8_INT_PENDING_MSG or MSR_FAM10H_MMIO_CONF_BASE or MSR_K8_TSEG_ADDR or MSR_K8_TSEG_MASK or MSR_VM_IGNNE
        or MSR_AMD64_DC_CFG or MSR_AMD64_TW_CFG or MSR_AMD64_BU_CFG2 or MSR_F15H_EX_CFG;
}
