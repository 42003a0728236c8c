namespace Akvam.Cpu.State;

/// <summary>What other threads (or the processor itself) ask of the run loop. Looked at between blocks, in one place: <see cref="Processor"/>.Run.</summary>
[Flags]
public enum Request
{
    None = 0,

    /// <summary>Return to the caller as soon as the state is consistent.</summary>
    Kick = 1 << 0,

    /// <summary>An interrupt controller may have an interrupt.</summary>
    Interrupt = 1 << 1,

    Nmi = 1 << 2,
    Smi = 1 << 3,

    /// <summary>INIT or SIPI is waiting in the LAPIC.</summary>
    Init = 1 << 4,

    /// <summary>Something inside changed that may make a held event deliverable (IF, shadow, GIF, TPR, NMI mask) or a trap due.</summary>
    Evaluate = 1 << 5,

    FlushTlb = 1 << 6,

    /// <summary>Another thread wants all processors of the VM to stand still.</summary>
    Park = 1 << 7,

    /// <summary>An instruction left something for user space (port or MMIO write, HLT without an irqchip…).</summary>
    UserExit = 1 << 8,

    TripleFault = 1 << 9,

    /// <summary>kvmclock or another paravirtual area has to be rewritten before the guest goes on.</summary>
    ClockUpdate = 1 << 10,
}
