using Akvam.Cpu.Cpuid;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed.</remarks>
public sealed partial class Processor
{
    /// <summary>The guest's CPUID table.</summary>
    public GuestCpuid Cpuid { get; } = new();

    /// <summary>Accesses that user space has to serve.</summary>
    public PendingAccess Pending { get; } = new();
}
