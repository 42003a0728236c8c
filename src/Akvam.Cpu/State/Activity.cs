namespace Akvam.Cpu.State;

/// <summary>What the processor is doing; the values are KVM's mp_state. [KVM 4.38]</summary>
public enum Activity : byte
{
    Runnable = 0,
    Uninitialized = 1,
    InitReceived = 2,
    Halted = 3,
    SipiReceived = 4,
}

/// <summary>Interrupt shadow; the bits are KVM_X86_SHADOW_INT_*.</summary>
[Flags]
public enum InterruptShadow : byte
{
    None = 0,
    MovSs = 1,
    Sti = 2,
}
