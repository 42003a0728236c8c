namespace Akvam.Cpu;

/// <summary>Deviations from the architecture that another implementation has and that can be asked for.</summary>
[Flags]
public enum ProcessorQuirks
{
    None = 0,

    /// <summary>RSM never blocks NMIs again when the SMI handler has unblocked them with IRET, as KVM does ("kvm-nmi-rsm"). AMD restores the mask.</summary>
    KvmNmiRsm = 1 << 0,

    /// <summary>MONITOR and MWAIT do nothing where CPUID does not offer them, instead of #UD (KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS).</summary>
    MwaitNeverUd = 1 << 1,

    /// <summary>IA32_MISC_ENABLE's MWAIT bit is not CPUID's (KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT).</summary>
    MiscEnableNoMwait = 1 << 2,

    /// <summary>The other vendor's hypercall instruction is replaced in memory by this one's, instead of #UD (KVM_X86_QUIRK_FIX_HYPERCALL_INSN).</summary>
    FixHypercall = 1 << 3,

    /// <summary>UD2 followed by the letters "kvm" is a prefix that means nothing, instead of #UD (kvm.force_emulation_prefix).</summary>
    EmulationPrefix = 1 << 4,

    /// <summary>The ports 5658h and 5659h are open to all programs, whatever IOPL and permission bitmap say (kvm.enable_vmware_backdoor).</summary>
    VmwareBackdoor = 1 << 5,

    /// <summary>INIT comes before an SMI at the same instruction boundary, and the SMI is lost, as in KVM ("kvm-init-smi"). The manuals have the SMI first.</summary>
    KvmInitSmi = 1 << 6,

    /// <summary>
    /// An instruction that would fault only because an address has bits the guest's processor lacks is executed by the kernel's emulator, which raises the fault, and
    /// fails if it does not know the instruction (kvm_intel.allow_smaller_maxphyaddr).
    /// </summary>
    SmallerAddresses = 1 << 7,

    /// <summary>What a processor has that nobody asked anything of.</summary>
    Default = MwaitNeverUd | MiscEnableNoMwait | FixHypercall,
}
