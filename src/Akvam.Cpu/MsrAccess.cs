namespace Akvam.Cpu;

/// <summary>Outcome of an MSR access on the bus.</summary>
public enum MsrAccess
{
    Done,

    /// <summary>No such MSR, or a value it does not take: #GP(0).</summary>
    Fault,

    /// <summary>User space answers (KVM_EXIT_X86_RDMSR, WRMSR).</summary>
    UserExit,
}
