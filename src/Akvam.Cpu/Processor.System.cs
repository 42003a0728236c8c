using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Msr;
using Iced.Intel;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed.</remarks>
public sealed partial class Processor
{
    /// <summary>The guest's CPUID table.</summary>
    public GuestCpuid Cpuid { get; } = new();

    /// <summary>Deviations asked for.</summary>
    public ProcessorQuirks Quirks { get; set; } = ProcessorQuirks.Default;

    /// <summary>The guest is offered MONITOR and MWAIT: by CPUID as it was set, or by IA32_MISC_ENABLE where that decides.</summary>
    internal bool OffersMwait => (Quirks & ProcessorQuirks.MiscEnableNoMwait) != 0 ? Cpuid.Allows(Feature.Monitor) : (Msrs.MiscEnable & MsrFile.MiscEnableMwait) != 0;

    /// <summary>The guest's debug registers, which MOV means, while a debugger outside uses the processor's; null: they are the guest's.</summary>
    public Events.DebugRegisters? GuestDebugRegisters { get; set; }

    /// <summary>An SMI found no memory at SMRAM: nothing can be executed any more.</summary>
    public bool IsDead { get; internal set; }

    /// <summary>Which MSR accesses of the guest user space forbids or answers; null: none.</summary>
    public IMsrPolicy? MsrPolicy { get; set; }

    /// <summary>The model-specific registers.</summary>
    public MsrFile Msrs { get; } = new();

    /// <summary>Accesses that user space has to serve.</summary>
    public PendingAccess Pending { get; } = new();

    /// <summary>True when the guest's CPUID offers every feature that an instruction belongs to.</summary>
    internal bool OffersInstruction(Code code)
    {
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            if (!Cpuid.Offers(feature))
            {
                return false;
            }
        }

        return true;
    }
}
