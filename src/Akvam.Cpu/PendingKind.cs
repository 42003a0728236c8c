namespace Akvam.Cpu;

/// <summary>What the processor asks of user space.</summary>
public enum PendingKind : byte
{
    None = 0,
    PortRead = 1,
    PortWrite = 2,
    MmioRead = 3,
    MmioWrite = 4,

    /// <summary>RDMSR that user space answers (KVM_EXIT_X86_RDMSR).</summary>
    MsrRead = 5,

    /// <summary>WRMSR that user space answers: unlike the other writes, the instruction waits for the reply.</summary>
    MsrWrite = 6,
}
