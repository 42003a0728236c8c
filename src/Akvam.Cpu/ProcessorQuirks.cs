namespace Akvam.Cpu;

/// <summary>Deviations from the architecture that another implementation has and that can be asked for.</summary>
[Flags]
public enum ProcessorQuirks
{
    None = 0,

    /// <summary>RSM never blocks NMIs again when the SMI handler has unblocked them with IRET, as KVM does ("kvm-nmi-rsm"). AMD restores the mask.</summary>
    KvmNmiRsm = 1 << 0,
}
