namespace Akvam.Cpu.Native;

/// <summary>Registers that an instruction uses without naming them in its operands.</summary>
[Flags]
internal enum ImplicitOperands
{
    None = 0,
    Xmm0In = 1,
    Xmm0Out = 2,

    /// <summary>String lengths in EAX and EDX (PCMPESTRx).</summary>
    Lengths = 4,
    EcxOut = 8,
}
