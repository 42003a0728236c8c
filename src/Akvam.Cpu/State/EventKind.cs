namespace Akvam.Cpu.State;

/// <summary>What kind of event is delivered through the IDT.</summary>
public enum EventKind : byte
{
    None = 0,

    /// <summary>An interrupt from the interrupt controller.</summary>
    External,
    Nmi,

    /// <summary>A fault, trap or abort that the processor detected.</summary>
    Exception,

    /// <summary>INT n.</summary>
    Software,

    /// <summary>INT3 and INTO: exceptions raised by an instruction made for it.</summary>
    SoftwareException,

    /// <summary>INT1 (ICEBP): as an exception, but the return address is the next instruction.</summary>
    Icebp,
}
