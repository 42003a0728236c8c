using Akvam.Abi;
using Akvam.Cpu;

namespace Akvam;

/// <content>Deviations of KVM from the architecture that a client may switch off. [KVM 7.31]</content>
public sealed partial class Vm
{
    /// <summary>What KVM_CAP_DISABLE_QUIRKS2 offers: quirks that are there, and can be switched off.</summary>
    internal const ulong KnownQuirks = KvmTuning.KVM_X86_QUIRK_LINT0_REENABLED | KvmTuning.KVM_X86_QUIRK_LAPIC_MMIO_HOLE | KvmTuning.KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT
        | KvmTuning.KVM_X86_QUIRK_FIX_HYPERCALL_INSN | KvmTuning.KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS;

    private ulong _disabledQuirks;

    internal bool HasQuirk(ulong quirk) => (Volatile.Read(ref _disabledQuirks) & quirk) == 0;

    /// <summary>The deviations that the processor itself knows.</summary>
    internal ProcessorQuirks ProcessorQuirks =>
        (HasQuirk(KvmTuning.KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ? ProcessorQuirks.MwaitNeverUd : 0)
        | (HasQuirk(KvmTuning.KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) ? ProcessorQuirks.MiscEnableNoMwait : 0)
        | (HasQuirk(KvmTuning.KVM_X86_QUIRK_FIX_HYPERCALL_INSN) ? ProcessorQuirks.FixHypercall : 0)
        | Options.Quirks
        | (Options.ForceEmulationPrefix ? ProcessorQuirks.EmulationPrefix : 0)
        | (Options.EmulateSmallerAddresses ? ProcessorQuirks.SmallerAddresses : 0)
        | (Options.VmwareBackdoor ? ProcessorQuirks.VmwareBackdoor : 0);

    private void DisableQuirks(ulong quirks)
    {
        Volatile.Write(ref _disabledQuirks, quirks);
        foreach (Vcpu vcpu in _vcpus)
        {
            vcpu.Processor.Quirks = ProcessorQuirks;
        }
    }
}
